/**
 * Every refusal and operating failure that a user or a program can meet: one closed union of codes, one table.
 *
 * The message is the sentence that the user reads: what happened and what to do. `docs/errors.md` is made from this
 * table and a test keeps them equal. Bugs are not here: they crash (see `assert`).
 */

/** Process exit codes of the command line: docs/errors.md. */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  peer: 3,
  refused: 4,
  integrity: 5,
  localIo: 6,
  network: 7,
  setUp: 78,
  interrupted: 130,
} as const

export type ExitName = keyof typeof EXIT

/** tRPC's names for the HTTP status of an answer (a subset of TRPC_ERROR_CODE_KEY). */
export type TrpcCode =
  | 'BAD_REQUEST'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'PRECONDITION_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'TOO_MANY_REQUESTS'
  | 'TIMEOUT'
  | 'INTERNAL_SERVER_ERROR'
  | 'SERVICE_UNAVAILABLE'

export interface ErrorEntry {
  /** One sentence or two for the user: what happened, what to do. */
  readonly message: string
  readonly exit: ExitName
  readonly trpc: TrpcCode
  /** Whether `godwit retry` (or waiting) can help without changing anything else. */
  readonly isRetryable: boolean
}

const entry = (message: string, exit: ExitName, trpc: TrpcCode, isRetryable: boolean): ErrorEntry => ({
  message,
  exit,
  trpc,
  isRetryable,
})

export const ERRORS = {
  // usage
  ERR_USAGE: entry('The command was not understood. Run it with --help.', 'usage', 'BAD_REQUEST', false),
  ERR_CODE_MALFORMED: entry(
    'This is not a code: a code looks like 1234-word-word-word, with @host:port behind it where the sender gave one. Check it for typing errors.',
    'usage',
    'BAD_REQUEST',
    false,
  ),
  ERR_RATE_MALFORMED: entry('A rate is written like 20MB/s, 500mbit or unlimited.', 'usage', 'BAD_REQUEST', false),
  ERR_PASSWORD_WEAK: entry(
    'This password is too easy to guess. Take a longer one, or leave --room away and get a code.',
    'usage',
    'BAD_REQUEST',
    false,
  ),
  ERR_TRANSFER_NOT_FOUND: entry('There is no transfer with this id. See godwit list.', 'usage', 'NOT_FOUND', false),
  ERR_TRANSFER_STATE: entry(
    'The transfer is not in a state in which this is possible. See godwit show ID.',
    'usage',
    'CONFLICT',
    false,
  ),
  ERR_SUBMISSION_CONFLICT: entry(
    'This submission id was used before for a different transfer. Use a new one.',
    'usage',
    'CONFLICT',
    false,
  ),
  ERR_TOO_MANY_TRANSFERS: entry(
    'This node keeps as many transfers as it may. Remove finished ones with godwit remove.',
    'usage',
    'TOO_MANY_REQUESTS',
    false,
  ),
  // peer not found, time-outs
  ERR_ROOM_NOT_FOUND: entry(
    'No room has this code. Either it was typed wrong, or the sender has closed the room, or it is too old. Ask the sender for the code.',
    'peer',
    'NOT_FOUND',
    false,
  ),
  ERR_ROOM_CLOSED: entry('The sender has closed the room. Ask for a new code.', 'peer', 'PRECONDITION_FAILED', false),
  ERR_ROOM_NAME_TAKEN: entry(
    'A room with this name is open already at this rendezvous. Choose another name.',
    'usage',
    'CONFLICT',
    false,
  ),
  ERR_ROOM_LINE_FULL: entry(
    'The room and its waiting line are full. Try again later.',
    'peer',
    'TOO_MANY_REQUESTS',
    true,
  ),
  ERR_PEER_TIMEOUT: entry(
    'The other side did not answer in time. Check that its node runs, then godwit retry.',
    'peer',
    'TIMEOUT',
    true,
  ),
  ERR_DEADLINE: entry(
    'The transfer was not complete at its deadline. Give it another with godwit schedule ID --deadline TIME, then godwit retry.',
    'peer',
    'TIMEOUT',
    true,
  ),
  // refusals
  ERR_WRONG_CODE: entry(
    "The words of the code do not match. Either they were typed wrong, or somebody else answered in the sender's place. Check the code with the sender and run godwit receive again; the room stays open.",
    'refused',
    'FORBIDDEN',
    false,
  ),
  ERR_ROOM_LOCKED: entry(
    'The room was locked after too many wrong guesses. The sender has to send again to get a new code.',
    'refused',
    'FORBIDDEN',
    false,
  ),
  ERR_DECLINED: entry('The receiver declined the offer.', 'refused', 'FORBIDDEN', false),
  ERR_CANCELLED: entry('The transfer was cancelled.', 'refused', 'CONFLICT', false),
  ERR_CANCELLED_BY_PEER: entry('The other side cancelled the transfer.', 'refused', 'CONFLICT', false),
  ERR_VERSION_UNSUPPORTED: entry(
    'The other side runs a version of Godwit that this one cannot talk to. Update the older of the two.',
    'refused',
    'PRECONDITION_FAILED',
    false,
  ),
  ERR_MANIFEST_REFUSED: entry(
    'The list of files from the other side is not acceptable: a name could do harm or a limit is passed. Nothing was written.',
    'refused',
    'BAD_REQUEST',
    false,
  ),
  ERR_PEER_PROTOCOL: entry(
    'The other side broke the protocol, and the session was closed. Nothing unverified was kept.',
    'refused',
    'BAD_REQUEST',
    true,
  ),
  ERR_RESUME_REFUSED: entry(
    'The other side no longer knows this transfer. It has to be sent again.',
    'refused',
    'PRECONDITION_FAILED',
    false,
  ),
  // integrity
  ERR_INTEGRITY: entry(
    'A file that was received does not have the hash that the sender announced. It was not given its name.',
    'integrity',
    'INTERNAL_SERVER_ERROR',
    true,
  ),
  // local input and output
  ERR_PATH_NOT_FOUND: entry('The path is not there. Check it for typing errors.', 'localIo', 'NOT_FOUND', false),
  ERR_PATH_UNREADABLE: entry(
    'The path cannot be read by this user. Change its permissions or run as another user.',
    'localIo',
    'FORBIDDEN',
    false,
  ),
  ERR_NOTHING_TO_SEND: entry(
    'There is nothing to send: the paths name only symbolic links or special files.',
    'localIo',
    'BAD_REQUEST',
    false,
  ),
  ERR_NAME_UNSENDABLE: entry(
    'A file name cannot be sent because other systems could not store it. Rename the file.',
    'localIo',
    'BAD_REQUEST',
    false,
  ),
  ERR_MANIFEST_TOO_LARGE: entry(
    'Too many files for one transfer (200,000 entries or 16 MiB of names). Send them in several.',
    'localIo',
    'PAYLOAD_TOO_LARGE',
    false,
  ),
  ERR_SOURCE_CHANGED: entry(
    'A file changed while it was being sent. It was not completed; send it again when it rests.',
    'localIo',
    'CONFLICT',
    false,
  ),
  ERR_OUTPUT_MISSING: entry(
    'The output folder is not there or is not a folder. Create it or name another with --output.',
    'localIo',
    'NOT_FOUND',
    true,
  ),
  ERR_OUTPUT_UNWRITABLE: entry(
    'The output folder cannot be written by this user. Name another with --output.',
    'localIo',
    'FORBIDDEN',
    true,
  ),
  ERR_DISK_FULL: entry(
    'There is not enough free space for this transfer. Free some, or receive into another folder with --output, then godwit retry.',
    'localIo',
    'PRECONDITION_FAILED',
    true,
  ),
  ERR_DISK_IO: entry(
    'The disk reported an error. Check it, then godwit retry.',
    'localIo',
    'INTERNAL_SERVER_ERROR',
    true,
  ),
  // network
  ERR_NO_PATH: entry(
    'No direct path to the other side was found: a firewall or NAT drops UDP between the two. Allow outgoing and answering UDP on one side, then godwit retry.',
    'network',
    'SERVICE_UNAVAILABLE',
    true,
  ),
  ERR_RENDEZVOUS_UNREACHABLE: entry(
    'The rendezvous cannot be reached. Check its address and that it runs; the transfer goes on when it is back.',
    'network',
    'SERVICE_UNAVAILABLE',
    true,
  ),
  ERR_RENDEZVOUS_REFUSED: entry(
    'The rendezvous refused the request because there were too many. Wait a minute and try again.',
    'network',
    'TOO_MANY_REQUESTS',
    true,
  ),
  ERR_RENDEZVOUS_PRIVATE: entry(
    'This rendezvous opens rooms for its own computer only. Name another one with --rendezvous, or none at all.',
    'usage',
    'FORBIDDEN',
    false,
  ),
  ERR_SESSION_LOST: entry(
    'The connection to the other side broke. The transfer goes on when it is back.',
    'network',
    'SERVICE_UNAVAILABLE',
    true,
  ),
  ERR_PORT_TAKEN: entry(
    'The address or port is in use by another program. Choose another.',
    'network',
    'CONFLICT',
    false,
  ),
  // set-up
  ERR_NODE_START: entry(
    'The node could not start. See the end of its log (godwit node status names it).',
    'setUp',
    'SERVICE_UNAVAILABLE',
    true,
  ),
  ERR_NODE_RUNNING: entry(
    'Another node already uses this data directory. Stop it, or set GODWIT_DATA_DIR to another directory.',
    'setUp',
    'CONFLICT',
    false,
  ),
  ERR_NODE_NOT_RUNNING: entry('No node runs on this data directory.', 'setUp', 'SERVICE_UNAVAILABLE', false),
  ERR_REDIS_MISSING: entry(
    'Neither redis-server nor valkey-server was found. Install one of them (Debian and Ubuntu: apt-get install redis-server) or set REDIS_URL.',
    'setUp',
    'SERVICE_UNAVAILABLE',
    false,
  ),
  ERR_REDIS_UNREACHABLE: entry(
    'Redis cannot be reached. Check REDIS_URL, or the end of redis.log in the data directory.',
    'setUp',
    'SERVICE_UNAVAILABLE',
    true,
  ),
  ERR_REDIS_UNSUITABLE: entry(
    'This Redis cannot be used: Godwit needs version 6.2 or later with maxmemory-policy noeviction.',
    'setUp',
    'PRECONDITION_FAILED',
    false,
  ),
  ERR_DATA_DIR: entry(
    'The data directory cannot be used: it must be a folder that only this user can write. Set GODWIT_DATA_DIR to another.',
    'setUp',
    'PRECONDITION_FAILED',
    false,
  ),
  ERR_UNAUTHORIZED: entry(
    'The token of the local API does not match. Restart the node with godwit node stop.',
    'setUp',
    'UNAUTHORIZED',
    false,
  ),
  ERR_LINK_USED: entry(
    'This link was used already, or it is older than a minute. Run godwit open for a new one.',
    'setUp',
    'UNAUTHORIZED',
    false,
  ),
  ERR_SPOOL_GONE: entry(
    'The files that were added are not on the node any more. Add them again.',
    'localIo',
    'NOT_FOUND',
    false,
  ),
  ERR_PAGE_MISSING: entry(
    'The web page has not been built. Run npm run build in the checkout of Godwit.',
    'setUp',
    'PRECONDITION_FAILED',
    false,
  ),
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[]

/** Whether a string from outside is one of our codes. */
export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERRORS, value)

/** The process exit code that a refusal or failure ends a command with. */
export const exitCodeOf = (code: ErrorCode): number => EXIT[ERRORS[code].exit]

/** A refusal or an operating failure as a value. `detail` is added to the table's message and holds no secret. */
export interface Failure {
  readonly code: ErrorCode
  readonly detail?: string
}

/** Either a value or a failure: what everything that can be refused returns. */
export type Result<T, F extends { readonly code: string } = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: F }

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value })

export const fail = (code: ErrorCode, detail?: string): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure: detail === undefined ? { code } : { code, detail },
})

/** The sentence for the user: what was met, then the table's advice. */
export const messageOf = (failure: Failure): string =>
  failure.detail === undefined ? ERRORS[failure.code].message : `${failure.detail}: ${ERRORS[failure.code].message}`

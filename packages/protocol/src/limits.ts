/**
 * Every limit of Godwit, in one place: each with its unit and the reason for its value.
 *
 * A limit that a peer can reach is enforced where the peer's bytes are decoded; one that a user can reach has an error
 * code in `errors.ts`.
 */

// Files and manifest

/** Bytes of a chunk: the unit of hashing, scheduling and resuming. The last chunk of a file is shorter. */
export const CHUNK_SIZE_BYTES = 1024 * 1024
/** Encoded bytes of a manifest: what a receiver holds in memory before the user has accepted anything. */
export const MANIFEST_MAX_BYTES = 16 * 1024 * 1024
/** Entries of a manifest: files and folders together. */
export const MANIFEST_MAX_ENTRIES = 200_000
/** UTF-8 bytes of one path component: NAME_MAX of the common file systems. */
export const PATH_COMPONENT_MAX_BYTES = 255
/** UTF-8 bytes of a whole relative path, separators included. */
export const PATH_MAX_BYTES = 1024
/** Components of a path. */
export const PATH_MAX_DEPTH = 64
/** Bytes of all files of one transfer together: 16 TiB, far below 2^53. */
export const TRANSFER_MAX_BYTES = 16 * 1024 ** 4
/** Bytes kept free on the target beside the transfer itself, so that the machine stays usable. */
export const FREE_SPACE_MARGIN_BYTES = 64 * 1024 * 1024

// Datagrams and packets

/** Bytes of the clear, authenticated packet header. */
export const PACKET_HEADER_BYTES = 16
/** Bytes of the AEAD tag, of ChaCha20-Poly1305 (RFC 8439) and of AES-256-GCM alike. */
export const PACKET_TAG_BYTES = 16
/** Bytes of a datagram that every path is assumed to carry (RFC 9000 §14.1). */
export const DATAGRAM_MIN_BYTES = 1200
/** Bytes of the largest UDP payload over IPv4. */
export const DATAGRAM_MAX_BYTES = 65_507
/** Bytes of a path probe and of its answer: the same, so that a probe never amplifies. */
export const PROBE_BYTES = 64
/** Packets of one train: the kernel's UDP_MAX_SEGMENTS. */
export const TRAIN_MAX_PACKETS = 64
/** Packets sealed under one key before the epoch moves on. */
export const KEY_UPDATE_PACKETS = 2 ** 22
/** Packet numbers of one session and lane; a new session starts before. */
export const PACKET_NUMBER_MAX = 2 ** 32 - 1
/** Failed authentications under one session before it is closed (RFC 9001 §6.6: ChaCha20-Poly1305's limit, AES-GCM's is higher). */
export const AUTHENTICATION_FAILURES_MAX = 2 ** 36
/** Packets that the replay window remembers behind the highest one. */
export const REPLAY_WINDOW_PACKETS = 16_384
/** Ranges in one ACK frame; older ones were reported before or are reported next. */
export const ACK_MAX_RANGES = 64
/** Addresses that one side may name as candidates of its paths. */
export const CANDIDATES_MAX = 8
/** Milliseconds without a working path before a session gives up with ERR_NO_PATH. */
export const PATH_TIMEOUT_MS = 15_000
/** Milliseconds of silence after which an idle session sends a keep-alive: NAT bindings live for 30 s and more. */
export const KEEP_ALIVE_MS = 10_000
/** Milliseconds without any authentic packet after which a session is lost. */
export const IDLE_TIMEOUT_MS = 30_000

// Sessions

/** Lanes of one session: threads with a socket each. More than that gains nothing on one link. */
export const LANES_MAX = 8
/** Bytes of chunk buffers that a receiver grants to a sender: the most data not yet verified and written. */
export const CREDIT_WINDOW_BYTES = 64 * 1024 * 1024
/** Bytes of credit that a chunk costs at the least: it bounds the number of chunks under way. */
export const CREDIT_MIN_CHUNK_BYTES = 4096
/** Pieces of a chunk that may lie apart while it is put together, however short it is: a sender cuts it into packets. */
export const CHUNK_GAPS_MIN = 16
/** Bytes of a chunk for each further piece: crumbs would cost more memory than the chunk, and time to put in order. */
export const CHUNK_BYTES_PER_GAP = 256
/** Bytes of one control message: a manifest and its header. */
export const CONTROL_MESSAGE_MAX_BYTES = MANIFEST_MAX_BYTES + 64
/** Bytes of the control stream that may be in flight or unread. */
export const CONTROL_WINDOW_BYTES = 1024 * 1024
/** Bytes written after which a checkpoint is due. */
export const CHECKPOINT_BYTES = 64 * 1024 * 1024
/** Milliseconds after which a checkpoint is due. */
export const CHECKPOINT_INTERVAL_MS = 500
/** Times that one chunk is asked for again in a session: chance does not damage the same megabyte so often. */
export const CHUNK_REJECTIONS_MAX = 16
/** Milliseconds that data may flow into staging while the event log is away. */
export const LOG_AWAY_MAX_MS = 60_000
/** Milliseconds that a receiver waits for the user before the idle session is let go (it is taken up again on accept). */
export const ACCEPTANCE_SESSION_MS = 15 * 60_000

// Rooms and the rendezvous

/** Receivers served at once in one room. */
export const ROOM_MAX_CAPACITY = 64
/** Receivers waiting in one line. */
export const ROOM_MAX_LINE = 64
/** Wrong guesses before a room with generated words locks. */
export const GUESSES_MAX_GENERATED = 20
/** Wrong guesses before a room with a user's own password locks. */
export const GUESSES_MAX_PASSWORD = 5
/** Bytes of one mailbox message (before base64). */
export const MAILBOX_MESSAGE_MAX_BYTES = 8192
/** Messages kept for one room; older ones are trimmed. */
export const MAILBOX_MAX_MESSAGES = 256
/** Milliseconds of a room without any activity of its owner. */
export const ROOM_IDLE_TTL_MS = 24 * 3_600_000
/** Milliseconds of a room's whole life. */
export const ROOM_MAX_TTL_MS = 7 * 24 * 3_600_000
/** Receivers that may join one room over its whole life: what its stream may grow to. */
export const ROOM_MAX_JOINS = 20_000
/** Receivers that left and whom a room still knows, so that a repeated join or a late guess finds them. */
export const ROOM_MAX_DEPARTED = 256
/** Milliseconds that a closed room is kept, so that whoever comes late is told that it was closed. */
export const ROOM_CLOSED_TTL_MS = 3_600_000
/** Receivers whose verification words a sender keeps: those that are served, and as many again. */
export const RECEIVER_WORDS_MAX = 2 * ROOM_MAX_CAPACITY
/** Milliseconds for a whole handshake, from admission to the last message. */
export const HANDSHAKE_TIMEOUT_MS = 30_000
/** Nameplates are drawn from 1 … this number. */
export const NAMEPLATE_MAX = 999_999
/** Bytes of a device's name as the other side shows it. */
export const DEVICE_NAME_MAX_BYTES = 64
/** Characters of a code as it is typed or pasted, before anything else is looked at. */
export const CODE_MAX_CHARACTERS = 400
/** Characters of a user's own password, at the least. */
export const PASSWORD_MIN_CHARACTERS = 8
/** Characters of a user's own password, at the most. */
export const PASSWORD_MAX_CHARACTERS = 256
/** Guesses that a user's own password must withstand by estimate: 5 tries against it then succeed once in 20 million. */
export const PASSWORD_MIN_GUESSES = 1e8
/** Runs in which a receiver confirms first and gets no valid answer: each exposes one guess; then a human decides. */
export const EXPOSED_HANDSHAKES_MAX = 3
/** Names that an offer shows before it is accepted; the manifest with all of them comes over the session. */
export const OFFER_MAX_NAMES = 8
/** Columns of a name from the other side as it is shown. */
export const DISPLAY_MAX_COLUMNS = 80

// Jobs and events

/** Milliseconds of one slice of a transfer's job; then the next slice renews the lease. */
export const TRANSFER_SLICE_MS = 30_000
/** Milliseconds of a lease on a transfer: two slices and a margin. */
export const LEASE_TTL_MS = 75_000
/** Times that a job may be found stalled before it fails: a transfer survives any number of crashes. */
export const JOB_MAX_STALLED = 1000
/** Ranges of chunks in one event; a longer list is split. */
export const EVENT_RANGES_MAX = 4096
/** Ranges of chunks that a receiver's progress may consist of: more holes than any order of sending needs. */
export const CHUNK_RANGES_MAX = 32_768
/** Transfers that a node may be told to let send at once. */
export const SENDING_MAX = 1000
/** Transfers that a node lets send at once unless told otherwise; more are queued. */
export const SENDING_DEFAULT = 16
/** Transfers that one node keeps, finished ones included. */
export const TRANSFERS_MAX = 10_000
/** Milliseconds without unfinished work after which a node leaves. */
export const NODE_IDLE_EXIT_MS = 15 * 60_000
/** Progress lines a second of one watcher. */
export const PROGRESS_PER_SECOND_MAX = 4
/** Bytes a second below which a limit is refused: a slower one would look like a hang. */
export const LIMIT_MIN_BYTES_PER_SECOND = 1024

// The local API and its page

/** Milliseconds that a sign-in link of `godwit open` is good for. */
export const TICKET_TTL_MS = 60_000
/** Sign-in links that wait to be used; a further one drops the oldest. */
export const TICKETS_MAX = 16
/** Milliseconds that a signed-in page may go on without a new link. */
export const PAGE_SESSION_MS = 7 * 86_400_000
/** Bytes of one piece of a file that a page hands to its node: what the node holds in memory of it. */
export const SPOOL_PIECE_BYTES = 4 * 1024 * 1024
/** Pieces that are written at once, over all pages. */
export const SPOOL_PIECES_AT_ONCE_MAX = 4
/** Files that one drop on a page may hold. */
export const SPOOL_FILES_MAX = 20_000
/** Drops that are being handed over, or wait to be sent. */
export const SPOOLS_MAX = 16
/** Milliseconds without a new piece after which a drop that was never sent is deleted. */
export const SPOOL_IDLE_MS = 60 * 60_000
/** Milliseconds after which the files of a drop whose transfer failed are deleted; until then it can be retried. */
export const SPOOL_FAILED_MS = 7 * 86_400_000
/** Entries of a folder that a page is shown. */
export const FOLDER_ENTRIES_MAX = 2000
/** Transfers that one message of the live list carries. */
export const LIST_BATCH_MAX = 200

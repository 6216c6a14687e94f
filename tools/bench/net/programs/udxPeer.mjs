/**
 * One end of a file transfer over udx-native, run on one of the hosts by `contestants/udx.mjs`:
 *
 *   udxPeer.mjs PEERS receive OWN_ADDRESS PEER_ADDRESS FILE
 *   udxPeer.mjs PEERS send    OWN_ADDRESS PEER_ADDRESS FILE
 *
 * PEERS is the folder that udx-native is installed in. Prints `{"type":"ready"}` (receiver), `{"type":"begin"}` (sender)
 * and `{"type":"end"}` (receiver, when the file is written).
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const PORT = 9100
const IDS = { send: 1, receive: 2 }
const BLOCK_BYTES = 2 ** 20
const SOCKET_BUFFER_BYTES = 4 * 2 ** 20

const [peers, role, ownAddress, peerAddress, file] = process.argv.slice(2)
if (file === undefined || (role !== 'send' && role !== 'receive')) throw new Error('see the top of this file')

const say = (/** @type {string} */ type) => console.log(JSON.stringify({ type }))
const Udx = createRequire(join(peers, 'package.json'))('udx-native')
const udx = new Udx()
const socket = udx.createSocket()
socket.bind(PORT, ownAddress)
try {
  socket.setRecvBufferSize(SOCKET_BUFFER_BYTES)
  socket.setSendBufferSize(SOCKET_BUFFER_BYTES)
} catch {
  // The system's default stays.
}
const stream = udx.createStream(IDS[role])
stream.connect(socket, IDS[role === 'send' ? 'receive' : 'send'], PORT, peerAddress)
// The other end may be ended first: by then everything has been told.
stream.on('error', () => {})
if (role === 'receive') {
  say('ready')
  await pipeline(stream, createWriteStream(file, { highWaterMark: BLOCK_BYTES }), { end: true })
  say('end')
} else {
  say('begin')
  await pipeline(createReadStream(file, { highWaterMark: BLOCK_BYTES }), stream)
}

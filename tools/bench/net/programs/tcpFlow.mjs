/**
 * A flow of TCP that takes what it can get, run on the hosts by the rows that ask how Godwit shares a link. Its congestion
 * control is that of the host's route.
 *
 *   tcpFlow.mjs receive ADDRESS      counts nothing: the link does; prints `{"type":"ready"}`
 *   tcpFlow.mjs send ADDRESS         until it is ended
 */
import { connect, createServer } from 'node:net'

const PORT = 9200
const BLOCK = new Uint8Array(256 * 1024)

const [role, address] = process.argv.slice(2)
if (role === 'receive') {
  createServer((socket) => socket.on('error', () => {}).resume()).listen(PORT, address, () => {
    console.log(JSON.stringify({ type: 'ready' }))
  })
} else {
  const socket = connect(PORT, address)
  const fill = () => {
    while (socket.write(BLOCK));
  }
  socket.on('drain', fill).once('connect', fill)
}

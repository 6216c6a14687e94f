/**
 * For tests: histories as schema 2 recorded them, which gave a transfer its profile. They are never edited: see
 * `history1.ts`.
 */

/** A sender's whole stream, to one receiver over two lanes. */
export const senderHistory2: readonly (readonly [type: string, data: string])[] = [
  [
    'TransferEnqueued',
    '{"role":"sender","submissionId":"nightly-8","capacity":1,"receiversWanted":1,"limit":2097152,"profile":"background","fileCount":1,"totalBytes":1048581,"chunkCount":2,"acceptsAtOnce":false}',
  ],
  [
    'RoomEntered',
    '{"roomId":"rm7c3a","nameplate":"177","rendezvousUrl":"http://127.0.0.1:7777","advertise":null,"receiver":null}',
  ],
  ['ReceiverJoined', '{"receiver":"rc1","roomVersion":2}'],
  ['ReceiverAdmitted', '{"receiver":"rc1","roomVersion":3}'],
  ['PeerPaired', '{"receiver":"rc1","name":"heron"}'],
  ['SessionOpened', '{"receiver":"rc1","session":1,"path":"host","family":"ipv4","mtu":1200,"trains":true}'],
  ['Offered', '{"receiver":"rc1","fileCount":1,"totalBytes":1048581,"chunkCount":2}'],
  ['Accepted', '{"receiver":"rc1"}'],
  ['SessionChanged', '{"receiver":"rc1","session":1,"path":"host","mtu":1472,"trains":true,"lanes":2}'],
  [
    'ChunksAcked',
    '{"receiver":"rc1","ranges":[[0,2]],"bytes":1048581,"sinceMs":512,"rttUs":20310,"rate":2048009,"lost":1,"retransmitted":1430,"corrupted":0}',
  ],
  ['FilesCompleted', '{"receiver":"rc1","first":0,"count":1}'],
  ['ReceiverCompleted', '{"receiver":"rc1","bytes":1048581,"seconds":0.75}'],
  ['TransferCompleted', '{"bytes":1048581,"seconds":0.75}'],
  ['RoomClosed', '{"reason":"completed","roomVersion":5}'],
]

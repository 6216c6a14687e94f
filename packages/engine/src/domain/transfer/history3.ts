/**
 * For tests: a history of schema 2 in which a file changed while it was sent (FilesFailed). They are never edited: see
 * `history1.ts`.
 */

/** A sender's whole stream; the second of its three files was left out. */
export const senderHistory3: readonly (readonly [type: string, data: string])[] = [
  [
    'TransferEnqueued',
    '{"role":"sender","submissionId":"nightly-9","capacity":1,"receiversWanted":1,"limit":null,"profile":null,"fileCount":3,"totalBytes":3145729,"chunkCount":4,"acceptsAtOnce":false}',
  ],
  [
    'RoomEntered',
    '{"roomId":"rm9d1b","nameplate":"301","rendezvousUrl":"http://127.0.0.1:7777","advertise":null,"receiver":null}',
  ],
  ['ReceiverJoined', '{"receiver":"rc1","roomVersion":2}'],
  ['ReceiverAdmitted', '{"receiver":"rc1","roomVersion":3}'],
  ['PeerPaired', '{"receiver":"rc1","name":"heron"}'],
  ['SessionOpened', '{"receiver":"rc1","session":1,"path":"host","family":"ipv4","mtu":1200,"trains":true}'],
  ['Offered', '{"receiver":"rc1","fileCount":3,"totalBytes":3145729,"chunkCount":4}'],
  ['Accepted', '{"receiver":"rc1"}'],
  [
    'ChunksAcked',
    '{"receiver":"rc1","ranges":[[0,2]],"bytes":2097152,"sinceMs":512,"rttUs":20310,"rate":2048009,"lost":0,"retransmitted":0,"corrupted":0}',
  ],
  [
    'FilesFailed',
    '{"receiver":"rc1","files":[[1,1]],"chunks":[[1,2]],"bytes":1048577,"bytesTakenBack":1048576,"code":"ERR_SOURCE_CHANGED"}',
  ],
  [
    'ChunksAcked',
    '{"receiver":"rc1","ranges":[[3,1]],"bytes":1048576,"sinceMs":480,"rttUs":20310,"rate":2184535,"lost":0,"retransmitted":0,"corrupted":0}',
  ],
  ['FilesCompleted', '{"receiver":"rc1","first":0,"count":1}'],
  ['FilesCompleted', '{"receiver":"rc1","first":2,"count":1}'],
  ['ReceiverCompleted', '{"receiver":"rc1","bytes":2097152,"seconds":1.25}'],
  ['TransferCompleted', '{"bytes":2097152,"seconds":1.25,"missing":{"files":1,"code":"ERR_SOURCE_CHANGED"}}'],
  ['RoomClosed', '{"reason":"completed","roomVersion":5}'],
]

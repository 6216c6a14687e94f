/**
 * For tests: histories as schema 1 recorded them. They are never edited: whatever the events become, these must still be
 * read and lead to the same states. A new schema adds a file of its own.
 */

/** `[type, JSON of the data]` of a sender's whole stream, over a lost session, a pause and a failure. */
export const senderHistory1: readonly (readonly [type: string, data: string])[] = [
  [
    'TransferEnqueued',
    '{"role":"sender","submissionId":"nightly-7","capacity":2,"receiversWanted":1,"limit":null,"fileCount":2,"totalBytes":3145829,"chunkCount":4,"acceptsAtOnce":false}',
  ],
  [
    'RoomEntered',
    '{"roomId":"rm6b2f","nameplate":"4821","rendezvousUrl":"http://127.0.0.1:7777","advertise":"192.0.2.7:7777","receiver":null}',
  ],
  ['ReceiverJoined', '{"receiver":"rc1","roomVersion":2}'],
  ['ReceiverAdmitted', '{"receiver":"rc1","roomVersion":3}'],
  ['GuessFailed', '{"receiver":"rc1","guessesLeft":19}'],
  ['ReceiverLeft', '{"receiver":"rc1","reason":"wrongCode","roomVersion":5}'],
  ['ReceiverJoined', '{"receiver":"rc2","roomVersion":6}'],
  ['ReceiverAdmitted', '{"receiver":"rc2","roomVersion":7}'],
  ['PeerPaired', '{"receiver":"rc2","name":"heron"}'],
  ['SessionOpened', '{"receiver":"rc2","session":1,"path":"host","family":"ipv4","mtu":1472,"trains":true}'],
  ['Offered', '{"receiver":"rc2","fileCount":2,"totalBytes":3145829,"chunkCount":4}'],
  ['Accepted', '{"receiver":"rc2"}'],
  [
    'ChunksAcked',
    '{"receiver":"rc2","ranges":[[0,2]],"bytes":2097152,"sinceMs":500,"rttUs":812,"rate":4194304,"lost":3,"retransmitted":4320,"corrupted":1}',
  ],
  ['SessionLost', '{"receiver":"rc2","session":1,"reason":"ERR_SESSION_LOST"}'],
  [
    'RetransmitRequested',
    '{"receiver":"rc2","ranges":[[1,1],[2,1]],"reason":"sessionBroken","bytesTakenBack":1048576}',
  ],
  ['Paused', '{"reason":"user","by":"api"}'],
  ['LimitChanged', '{"limit":1048576,"by":"api"}'],
  ['Resumed', '{"by":"api"}'],
  ['TransferFailed', '{"code":"ERR_NO_PATH","detail":null}'],
  ['TransferRetried', '{"by":"api"}'],
  ['SessionOpened', '{"receiver":"rc2","session":2,"path":"observed","family":"ipv6","mtu":1200,"trains":false}'],
  [
    'ChunksAcked',
    '{"receiver":"rc2","ranges":[[1,3]],"bytes":2097253,"sinceMs":480,"rttUs":20415,"rate":4369277,"lost":0,"retransmitted":0,"corrupted":0}',
  ],
  ['FilesCompleted', '{"receiver":"rc2","first":0,"count":2}'],
  ['ReceiverCompleted', '{"receiver":"rc2","bytes":3145829,"seconds":12.75}'],
  ['TransferCompleted', '{"bytes":3145829,"seconds":12.75}'],
  ['RoomClosed', '{"reason":"completed","roomVersion":8}'],
]

/** The same of a receiver that waited in line, had a damaged chunk and was cancelled. */
export const receiverHistory1: readonly (readonly [type: string, data: string])[] = [
  [
    'TransferEnqueued',
    '{"role":"receiver","submissionId":"s-9","capacity":1,"receiversWanted":1,"limit":null,"fileCount":0,"totalBytes":0,"chunkCount":0,"acceptsAtOnce":false}',
  ],
  [
    'RoomEntered',
    '{"roomId":"rm6b2f","nameplate":"4821","rendezvousUrl":"http://192.0.2.7:7777","advertise":null,"receiver":"rc9"}',
  ],
  ['ReceiverQueued', '{"receiver":"rc9","place":2,"roomVersion":4}'],
  ['ReceiverQueued', '{"receiver":"rc9","place":1,"roomVersion":5}'],
  ['ReceiverAdmitted', '{"receiver":"rc9","roomVersion":6}'],
  ['PeerPaired', '{"receiver":"rc9","name":"godwit of the north"}'],
  ['Offered', '{"receiver":"rc9","fileCount":2,"totalBytes":3145829,"chunkCount":4}'],
  ['Accepted', '{"receiver":"rc9"}'],
  [
    'ChunksAcked',
    '{"receiver":"rc9","ranges":[[0,1],[2,1]],"bytes":2097152,"sinceMs":500,"rttUs":812,"rate":4194304,"lost":0,"retransmitted":0,"corrupted":0}',
  ],
  ['ChunksRejected', '{"receiver":"rc9","ranges":[[2,1]],"reason":"stagingDamaged","bytesTakenBack":1048576}'],
  ['RoomLocked', '{}'],
  ['TransferCancelled', '{"by":"api"}'],
]

import { describeStoresContract } from '../testing/storesContract.js'
import { MemoryMailbox, MemoryRoomDirectory } from './memoryStores.js'

describeStoresContract('memory', () => ({ directory: new MemoryRoomDirectory(Date.now), mailbox: new MemoryMailbox() }))

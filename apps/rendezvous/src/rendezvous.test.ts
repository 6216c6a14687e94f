import { describeRendezvousContract } from './testing/rendezvousContract.js'
import { memoryStores } from './testing/testServer.js'

describeRendezvousContract('memory', (now) => {
  const stores = memoryStores(now)
  return { ...stores, again: () => stores }
})

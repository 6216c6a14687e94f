import type { ContractEvent } from '../testing/eventStoreContract.js'
import { contractRouteOf, describeEventStoreContract } from '../testing/eventStoreContract.js'
import { describeLeasesContract } from '../testing/leasesContract.js'
import type { ContractState } from '../testing/projectionStoreContract.js'
import { describeProjectionStoreContract } from '../testing/projectionStoreContract.js'
import { MemoryEventStore } from './eventStore.js'
import { MemoryLeases } from './leases.js'
import { MemoryProjectionStore } from './projectionStore.js'

const close = (): Promise<void> => Promise.resolve()

describeEventStoreContract('memory', () => {
  const leases = new MemoryLeases(() => 0)
  const store = new MemoryEventStore<ContractEvent>({
    now: () => 1_700_000_000_000,
    holds: (fence) => leases.holds(fence),
    routeOf: contractRouteOf,
  })
  return Promise.resolve({ store, leases, outbox: () => Promise.resolve(store.takeOutbox()), close })
})

describeProjectionStoreContract('memory', () =>
  Promise.resolve({ store: new MemoryProjectionStore<ContractState>(), close }),
)

describeLeasesContract('memory', () => {
  let nowMs = 0
  const advance = (_: string, ms: number): Promise<void> => {
    nowMs += ms
    return Promise.resolve()
  }
  return Promise.resolve({ leases: new MemoryLeases(() => nowMs), advance, close })
})

/**
 * An emulated link to work on by hand: `node tools/linksim/link.mjs rate=200 delay=50 loss=1 queue=2441` (root). Makes two
 * hosts as network namespaces, prints their names, and takes them away on Ctrl-C. Options: see linksim.c, and `mtu=BYTES`.
 */
import { once } from 'node:events'
import { runAndCleanUp, UsageError } from '../bench/cleanUp.mjs'
import { EmulatedLink } from '../bench/net/emulatedLink.mjs'
import { Hosts, hostsMissing } from '../bench/net/hosts.mjs'

await runAndCleanUp(async (cleanUp) => {
  const missing = hostsMissing()
  if (missing !== undefined) throw new UsageError(`link: ${missing}`)
  const words = process.argv.slice(2)
  const mtu = words.find((word) => word.startsWith('mtu='))
  const hosts = Hosts.create(cleanUp)
  const link = await EmulatedLink.create(hosts, {
    cleanUp,
    options: words.filter((word) => word !== mtu),
    mtu: mtu === undefined ? 1500 : Number(mtu.slice(4)),
  })
  for (const { namespace, address } of [hosts.a, hosts.b]) console.log(`ip netns exec ${namespace} …    # ${address}`)
  console.log('Ctrl-C takes the link away.')
  await once(link.process, 'exit')
  return 1
})

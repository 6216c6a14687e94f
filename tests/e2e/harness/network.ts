/**
 * Hosts as network namespaces, joined by virtual cables, with real NAT by nftables. Needs root, ip and nft.
 */
import { execFileSync, spawnSync } from 'node:child_process'

/** Why namespaces cannot be used here; undefined when they can. With CI=true they have to work, and the tests fail. */
export const namespacesMissing = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'root is needed for network namespaces'
  for (const program of ['ip', 'nft']) {
    if (spawnSync(program, ['-V'], { stdio: 'ignore' }).error !== undefined) return `${program} is not installed`
  }
  const name = `gwprobe${process.pid}`
  const isMade = spawnSync('ip', ['netns', 'add', name], { stdio: 'ignore' }).status === 0
  if (isMade) spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' })
  return isMade ? undefined : 'network namespaces cannot be made here'
}

/** Whether the tests in namespaces are left out here: never in CI. */
export const skipsNamespaces = (): boolean => process.env['CI'] !== 'true' && namespacesMissing() !== undefined

let networks = 0

export class Network {
  readonly #prefix = `gw${process.pid}n${networks++}`
  readonly #namespaces: string[] = []
  #cables = 0

  /** A host of its own, with a loopback interface and nothing else. @returns the namespace's name. */
  host(name: string): string {
    const namespace = `${this.#prefix}${name}`
    ip('netns', 'add', namespace)
    this.#namespaces.push(namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    return namespace
  }

  /** Joins two hosts by a cable; each gets an address such as `10.0.1.1/24`. */
  cable(left: string, leftAddress: string, right: string, rightAddress: string): void {
    const number = this.#cables++
    const ends = [`v${number}l`, `v${number}r`] as const
    ip('-n', left, 'link', 'add', ends[0], 'type', 'veth', 'peer', 'name', ends[1], 'netns', right)
    for (const [host, end, address] of [
      [left, ends[0], leftAddress],
      [right, ends[1], rightAddress],
    ] as const) {
      ip('-n', host, 'address', 'add', address, 'dev', end)
      ip('-n', host, 'link', 'set', end, 'up')
    }
  }

  defaultRoute(host: string, gateway: string): void {
    ip('-n', host, 'route', 'add', 'default', 'via', gateway)
  }

  /** Makes `host` forward between its interfaces. */
  forward(host: string): void {
    inside(host, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
  }

  /** Makes `host` a home router: what leaves over `outside` carries its address, and only answers come back in. */
  masquerade(host: string, outside: string): void {
    this.forward(host)
    this.rules(
      host,
      `table ip godwit {
        chain post { type nat hook postrouting priority 100; oifname "${outside}" masquerade; };
        chain forward {
          type filter hook forward priority 0; policy accept;
          iifname "${outside}" ct state established,related accept
          iifname "${outside}" drop
        }
      }`,
    )
  }

  /** Drops every UDP datagram that comes into `host`. */
  dropUdp(host: string): void {
    this.rules(
      host,
      'table inet godwit { chain in { type filter hook input priority 0; iifname != "lo" meta l4proto udp drop; }; }',
    )
  }

  /** Takes the rules of `masquerade` and `dropUdp` away. */
  flushRules(host: string): void {
    inside(host, 'nft', 'flush', 'ruleset')
  }

  rules(host: string, text: string): void {
    execFileSync('ip', ['netns', 'exec', host, 'nft', '-f', '-'], { input: text })
  }

  dispose(): void {
    for (const namespace of this.#namespaces) spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' })
  }

  /** Two hosts and a cable between them: 10.71.0.1 and 10.71.0.2. */
  static direct(): { readonly network: Network; readonly left: string; readonly right: string } {
    const network = new Network()
    const [left, right] = [network.host('l'), network.host('r')]
    network.cable(left, '10.71.0.1/24', right, '10.71.0.2/24')
    return { network, left, right }
  }

  /**
   * Two hosts, each behind its own router with masquerading, and a host for the rendezvous outside:
   *
   *     left 192.168.1.2 ── router 203.0.113.2 ── internet ── router 198.51.100.2 ── right 192.168.2.2
   *                                                  └── outside 192.0.2.2
   */
  static behindNats(): NatNetwork {
    const network = new Network()
    const [left, leftRouter] = [network.host('l'), network.host('lr')]
    const [right, rightRouter] = [network.host('r'), network.host('rr')]
    const [internet, outside] = [network.host('i'), network.host('o')]
    network.cable(left, '192.168.1.2/24', leftRouter, '192.168.1.1/24')
    network.cable(leftRouter, '203.0.113.2/24', internet, '203.0.113.1/24')
    network.cable(right, '192.168.2.2/24', rightRouter, '192.168.2.1/24')
    network.cable(rightRouter, '198.51.100.2/24', internet, '198.51.100.1/24')
    network.cable(outside, '192.0.2.2/24', internet, '192.0.2.1/24')
    network.defaultRoute(left, '192.168.1.1')
    network.defaultRoute(leftRouter, '203.0.113.1')
    network.defaultRoute(right, '192.168.2.1')
    network.defaultRoute(rightRouter, '198.51.100.1')
    network.defaultRoute(outside, '192.0.2.1')
    network.forward(internet)
    network.masquerade(leftRouter, 'v1l')
    network.masquerade(rightRouter, 'v3l')
    return { network, left, right, leftRouter, rightRouter, outside }
  }
}

/** Namespaces by their place; `outside` is 192.0.2.2. */
export interface NatNetwork {
  readonly network: Network
  readonly left: string
  readonly right: string
  readonly leftRouter: string
  readonly rightRouter: string
  readonly outside: string
}

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

const inside = (namespace: string, ...args: readonly string[]): void => {
  execFileSync('ip', ['netns', 'exec', namespace, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
}

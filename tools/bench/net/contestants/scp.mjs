/**
 * scp over OpenSSH with AES-256-GCM, with a congestion control of the kernel's. The connection is there before the time
 * begins, as Godwit's code is given before its time begins; after the pause TCP starts slowly again.
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from '../../../setUp/paths.mjs'
import { Child, runChild } from '../../child.mjs'
import { hasCongestionControl, untilListening, useCongestionControl } from '../hosts.mjs'
import { timedRun } from './contestant.mjs'

const PORT = 2222
const CIPHER = 'aes256-gcm@openssh.com'
const READY_MS = 20_000
const POLL_MS = 50
/** sshd separates its privileges in this folder and does not start without it. */
const PRIVILEGE_FOLDER = '/run/sshd'

/**
 * @param {'cubic' | 'bbr'} congestion
 * @param {{ syncs?: boolean }} [options] - `syncs`: the time goes on until the file is on the disk, by sync(1).
 * @returns {import('./contestant.mjs').Contestant}
 */
export function scp(congestion, { syncs = false } = {}) {
  const label = `scp, ${congestion === 'bbr' ? 'BBR' : 'CUBIC'}${syncs ? ', then sync' : ''}`
  return {
    name: `scp-${congestion}${syncs ? '-sync' : ''}`,
    label,
    missing: () => {
      const program = ['scp', 'ssh', 'sshd', 'ssh-keygen'].find((one) => findProgram(one) === undefined)
      if (program !== undefined) return `${program} is not installed`
      return hasCongestionControl(congestion) ? undefined : `this kernel has no ${congestion}`
    },
    enter: async (field) => {
      const { cleanUp, hosts } = field
      const ssh = await serverOf(field)
      return async (task) => {
        useCongestionControl(hosts.a, congestion)
        const master = await openConnection(cleanUp, hosts.a.namespace, ssh)
        try {
          const target = `${ssh.target}:${task.output}/`
          const args = ['-q', '-P', String(PORT), ...ssh.options, task.payload.path, target]
          const copy = new Child(cleanUp, 'scp', args, { namespace: hosts.a.namespace })
          const finished = copy.finished.then(async ({ exitCode, stderr }) => {
            if (exitCode !== 0) throw new Error(`scp ended with ${exitCode}: ${stderr}`)
            if (syncs) await runChild(cleanUp, 'sync', [join(task.output, task.payload.path.split('/').at(-1) ?? '')])
          })
          return await timedRun(task, { finished, end: () => copy.kill() })
        } finally {
          await master.stop()
        }
      }
    },
  }
}

/** @typedef {{ target: string, options: string[] }} Ssh */

/** @type {WeakMap<import('./contestant.mjs').Field, Promise<Ssh>>} */
const servers = new WeakMap()

/** The one server of a row. @param {import('./contestant.mjs').Field} field */
function serverOf(field) {
  const known = servers.get(field) ?? startServer(field)
  servers.set(field, known)
  return known
}

/**
 * A server on host b that takes one key, and the client's options to reach it.
 *
 * @param {import('./contestant.mjs').Field} field @returns {Promise<Ssh>}
 */
async function startServer({ cleanUp, hosts, folder: parent }) {
  const folder = join(parent, 'ssh')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const [hostKey, key, config] = ['host', 'key', 'sshd_config'].map((name) => join(folder, name))
  for (const file of [hostKey, key])
    await runChild(cleanUp, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  if (!existsSync(PRIVILEGE_FOLDER)) {
    mkdirSync(PRIVILEGE_FOLDER, { mode: 0o755 })
    cleanUp.add(() => rmdirSync(PRIVILEGE_FOLDER))
  }
  const settings = [
    `Port ${PORT}`,
    `ListenAddress ${hosts.b.address}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${key}.pub`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin prohibit-password',
    'PidFile none',
    'Subsystem sftp internal-sftp',
    `Ciphers ${CIPHER}`,
  ]
  writeFileSync(config, `${settings.join('\n')}\n`)
  // It refuses to be started by a name without a path.
  const program = findProgram('sshd') ?? ''
  const server = new Child(cleanUp, program, ['-D', '-e', '-f', config], { namespace: hosts.b.namespace })
  void server.finished.then(({ stderr }) => {
    if (stderr.includes('error')) console.error(stderr)
  })
  await untilListening(hosts.b, 'tcp', PORT)
  const options = [
    ...['-F', 'none', '-i', key, '-c', CIPHER],
    ...['-o', `ControlPath=${join(folder, 'c')}`, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
  ]
  return { target: `${userInfo().username}@${hosts.b.address}`, options }
}

/**
 * The connection that scp will use. @param {import('../../cleanUp.mjs').CleanUp} cleanUp
 *
 * @param {string} namespace @param {Ssh} ssh
 */
async function openConnection(cleanUp, namespace, { target, options }) {
  const args = ['-M', '-N', '-p', String(PORT), ...options, target]
  const master = new Child(cleanUp, 'ssh', args, { namespace })
  for (const deadline = performance.now() + READY_MS; performance.now() < deadline; await sleep(POLL_MS)) {
    if (master.isOver) break
    const check = new Child(cleanUp, 'ssh', ['-O', 'check', '-p', String(PORT), ...options, target], { namespace })
    if ((await check.finished).exitCode === 0) return master
  }
  await master.kill()
  throw new Error(`ssh does not connect: ${(await master.finished).stderr}`)
}

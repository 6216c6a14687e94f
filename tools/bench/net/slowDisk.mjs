/**
 * A disk that writes slowly: ext4 in a file behind a loop device, whose writes the block layer's cgroup controller holds to
 * a rate. Version 1 of the controller takes the limit at its root; version 2 only for groups, so a process has to be moved.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { findProgram } from '../../setUp/paths.mjs'

const V1_LIMIT = '/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device'
const V2_ROOT = '/sys/fs/cgroup'
const PROGRAMS = ['mkfs.ext4', 'losetup', 'mount', 'umount']
/** What the file system takes for itself (its journal and tables), and what a receiver keeps free. */
const OWN_SHARE = 0.05
const OWN_BYTES = 256 * 2 ** 20

/** Why there can be no slow disk here; undefined when there can. */
export function slowDiskMissing() {
  const program = PROGRAMS.find((one) => findProgram(one) === undefined)
  if (program !== undefined) return `${program} is not installed`
  return existsSync(V1_LIMIT) || hasV2() ? undefined : 'no cgroup controller here limits the writes of a disk'
}

const hasV2 = () => {
  const file = join(V2_ROOT, 'cgroup.subtree_control')
  return existsSync(file) && readFileSync(join(V2_ROOT, 'cgroup.controllers'), 'utf8').split(/\s/).includes('io')
}

/**
 * @param {import('../cleanUp.mjs').CleanUp} cleanUp
 * @param {{ folder: string, bytes: number, bytesPerSecond: number }} settings - `folder`: on a disk that is faster; gets
 * the file behind the disk and its mount point.
 * @returns {{ path: string, hold: (pid: number) => void }} the disk's folder; `hold` puts a process under its limit where
 * the limit is not everybody's.
 */
export function slowDisk(cleanUp, { folder, bytes, bytesPerSecond }) {
  const image = join(folder, 'disk.img')
  const path = join(folder, 'slow')
  writeFileSync(image, '')
  truncateSync(image, Math.ceil(bytes * (1 + OWN_SHARE)) + OWN_BYTES)
  run('mkfs.ext4', '-q', '-F', '-m', '0', image)
  const device = run('losetup', '-f', '--show', image).trim()
  cleanUp.add(() => run('losetup', '-d', device))
  mkdirSync(path)
  run('mount', device, path)
  cleanUp.add(() => run('umount', path))
  const number = readFileSync(`/sys/class/block/${basename(device)}/dev`, 'utf8').trim()
  if (existsSync(V1_LIMIT)) {
    writeFileSync(V1_LIMIT, `${number} ${bytesPerSecond}`)
    cleanUp.add(() => writeFileSync(V1_LIMIT, `${number} 0`))
    return { path, hold: () => {} }
  }
  const group = join(V2_ROOT, `godwit-bench-${process.pid}`)
  writeFileSync(join(V2_ROOT, 'cgroup.subtree_control'), '+io')
  mkdirSync(group)
  cleanUp.add(() => rmdirSync(group))
  writeFileSync(join(group, 'io.max'), `${number} wbps=${bytesPerSecond}`)
  return { path, hold: (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid)) }
}

/** @param {string} program @param {readonly string[]} args */
const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

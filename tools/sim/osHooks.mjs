/**
 * Resolve hooks of a simulation: where code of the node asks for the file system, the network, timers or chance, it gets the
 * simulated ones. The simulator itself, and every library, keep the real ones.
 */
const NODE = '/apps/node/dist/'
const SIMULATION = '/apps/node/dist/simulation/'

/** @type {Readonly<Record<string, string>>} */
const SIMULATED = {
  'node:fs': 'nodeFs.js',
  'node:fs/promises': 'nodeFsPromises.js',
  'node:crypto': 'nodeCrypto.js',
  'node:dgram': 'nodeDgram.js',
  'node:timers/promises': 'nodeTimersPromises.js',
}

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const simulated = SIMULATED[specifier]
  const parent = context.parentURL ?? ''
  const at = parent.indexOf(NODE)
  if (simulated === undefined || at < 0 || parent.includes(SIMULATION)) return nextResolve(specifier, context)
  return { url: `${parent.slice(0, at)}${SIMULATION}os/${simulated}`, shortCircuit: true }
}

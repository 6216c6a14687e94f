/** The steps of giving files their names, each of which changes the disk and may be the last before a crash. */
export const FINALIZE_STEPS = [
  'hashes',
  'names: building',
  'folder made',
  'file prepared',
  'file in its folder',
  'folders finished',
  'folders durable',
  'names: publishing',
  'names: claimed',
  'names: another number',
  'folder name taken',
  'folder published',
  'file name taken',
  'file published',
  'output folder durable',
  'part unlinked',
] as const

export type FinalizeStep = (typeof FINALIZE_STEPS)[number]

/**
 * How a transfer shares the path with others, where the user asks for something else than the default: `lossy` for paths
 * that lose packets by themselves, `background` to yield to others. It acts where data is sent (docs/protocol/transport.md).
 */
import { z } from 'zod'

export const PROFILES = ['lossy', 'background'] as const

export const profileSchema = z.enum(PROFILES)
export type Profile = z.infer<typeof profileSchema>

export const isProfile = (text: string): text is Profile => PROFILES.some((profile) => profile === text)

/** Reading of arguments that several commands share. Each throws a usage failure that names the option, never its value. */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { transferIdSchema } from '@godwit/protocol/api'
import { isProfile, PROFILES, type Profile } from '@godwit/protocol/profile'
import { parseRate } from '@godwit/protocol/rate'
import { CliFailure, must, usageFailure } from '../failure.js'
import type { CliIo } from '../io.js'

/** An id of a transfer; anything else cannot be the id of one. */
export const transferIdOf = (text: string): string => {
  if (!transferIdSchema.safeParse(text).success) throw CliFailure.of({ code: 'ERR_TRANSFER_NOT_FOUND' })
  return text
}

export const wholeNumberOf = (text: string, option: string, min: number, max: number): number => {
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < min || Number(text) > max) {
    throw usageFailure(`${option} takes a whole number from ${min} to ${max}.`)
  }
  return Number(text)
}

/** Bytes a second, or null for no limit. */
export const rateOf = (text: string): number | null => must(parseRate(text))

/** How what is sent shares the path with others. */
export const profileOf = (text: string): Profile => {
  if (!isProfile(text)) throw usageFailure(`--profile takes ${PROFILES.join(' or ')}.`)
  return text
}

/** `http(s)://host:port`; `host:port` alone is taken as http. */
export const rendezvousOf = (text: string): string => {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(withScheme)) throw usageFailure('The address of a rendezvous looks like http://host:port.')
  const url = new URL(withScheme)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw usageFailure('The address of a rendezvous begins with http:// or https://.')
  }
  return url.origin
}

/** The rendezvous that was named: by the option, else by GODWIT_RENDEZVOUS. */
export const chosenRendezvous = (option: string | undefined, io: CliIo): string | undefined => {
  const { GODWIT_RENDEZVOUS: fromEnv } = io.env
  const text = option ?? fromEnv
  return text === undefined || text === '' ? undefined : rendezvousOf(text)
}

export const absolutePathOf = (path: string, io: CliIo): string => {
  if (path === '') throw usageFailure('A path is empty.')
  return resolve(io.cwd, path)
}

/** One secret from stdin: all of it, without the line feed at its end. */
export const secretFromStdin = async (io: CliIo, option: string): Promise<string> => {
  const secret = (await io.stdin.readAll()).replace(/\r?\n$/, '')
  if (secret === '') throw usageFailure(`${option}: nothing came in on stdin.`)
  return secret
}

/** A new submission id: a repeated call of this command is answered as the first one was. */
export const newSubmissionId = (): string => randomBytes(16).toString('hex')

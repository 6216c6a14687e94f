/** CPace against the draft's own figures (vectors/, from draft-irtf-cfrg-cpace, ristretto255 and SHA-512). */
import { readFileSync } from 'node:fs'
import { type CpacePoints, cpaceGenerator, cpaceKey } from '@godwit/engine/handshake/cpace'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHandshakeCrypto } from './handshakeCrypto.js'

const hex = z.string().transform((text) => new Uint8Array(Buffer.from(text, 'hex')))
const { vector, points } = z
  .object({
    vector: z.object({
      PRS: hex,
      CI: hex,
      sid: hex,
      g: hex,
      ya: hex,
      ADa: hex,
      Ya: hex,
      yb: hex,
      ADb: hex,
      Yb: hex,
      K: hex,
      ISK_IR: hex,
    }),
    points: z.object({
      Valid: z.object({ s: hex, X: hex, 'G.scalar_mult_vfy(s,X)': hex }),
      'Invalid Y1': hex,
      'Invalid Y2': hex,
    }),
  })
  .parse(JSON.parse(readFileSync(new URL('./vectors/cpace-ristretto255-sha512.json', import.meta.url), 'utf8')))

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = await createHandshakeCrypto()
})

const shares: CpacePoints = { initiator: vector.Ya, responder: vector.Yb }
const associated: CpacePoints = { initiator: vector.ADa, responder: vector.ADb }

describe('the draft’s vectors', () => {
  test('the generator', () => {
    expect(cpaceGenerator(crypto, vector.PRS, vector.CI, vector.sid)).toEqual(vector.g)
  })

  test('both shares', () => {
    expect(crypto.ristrettoMultiply(vector.ya, vector.g)).toEqual(vector.Ya)
    expect(crypto.ristrettoMultiply(vector.yb, vector.g)).toEqual(vector.Yb)
  })

  test('the shared point from either side', () => {
    expect(crypto.ristrettoMultiply(vector.ya, vector.Yb)).toEqual(vector.K)
    expect(crypto.ristrettoMultiply(vector.yb, vector.Ya)).toEqual(vector.K)
  })

  test('the key from either side, and the scalar is wiped', () => {
    const scalar = vector.ya.slice()
    expect(cpaceKey(crypto, scalar, vector.Yb, vector.sid, shares, associated)).toEqual(vector.ISK_IR)
    expect(scalar).toEqual(new Uint8Array(32))
    expect(cpaceKey(crypto, vector.yb.slice(), vector.Ya, vector.sid, shares, associated)).toEqual(vector.ISK_IR)
  })

  test('a valid point is multiplied', () => {
    expect(crypto.ristrettoMultiply(points.Valid.s, points.Valid.X)).toEqual(points.Valid['G.scalar_mult_vfy(s,X)'])
  })

  test.each(['Invalid Y1', 'Invalid Y2'] as const)('%s ends the run', (name) => {
    expect(crypto.ristrettoMultiply(points.Valid.s, points[name])).toBeUndefined()
    expect(cpaceKey(crypto, vector.ya.slice(), points[name], vector.sid, shares)).toBeUndefined()
  })
})

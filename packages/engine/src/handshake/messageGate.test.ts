import { encodeShare } from '@godwit/protocol/handshakeMessages'
import { describe, expect, test } from 'vitest'
import { MessageGate } from './messageGate.js'
import { send } from './types.js'

const runId = new Uint8Array(8).fill(1)
const otherRun = new Uint8Array(8).fill(2)
const m2 = (run = runId) => encodeShare('m2', { runId: run, point: new Uint8Array(32) })
const m3 = (run = runId) => encodeShare('m3', { runId: run, point: new Uint8Array(32) })
const answer = () => Promise.resolve(send(new Uint8Array(1)))

describe('a message gate', () => {
  test('lets through what is expected of its run, once', async () => {
    const gate = new MessageGate('m2', runId)
    expect(await gate.pass(m3(), answer)).toEqual({ kind: 'ignored', reason: 'unexpected' })
    expect(await gate.pass(m2(otherRun), answer)).toEqual({ kind: 'ignored', reason: 'foreign' })
    expect(await gate.pass(Uint8Array.of(2, 1), answer)).toEqual({ kind: 'ignored', reason: 'foreign' })
    expect((await gate.pass(m2(), answer)).kind).toBe('send')
    expect(await gate.pass(m2(), answer)).toEqual({ kind: 'ignored', reason: 'unexpected' })
  })

  test('takes its run from the first message where it has none', async () => {
    const gate = new MessageGate('m2')
    expect(gate.runId).toBe('')
    await gate.pass(m2(otherRun), answer)
    expect(gate.runId).toBe('02'.repeat(8))
    gate.expected = 'm3'
    expect((await gate.pass(m3(), answer)).kind).toBe('ignored')
    expect((await gate.pass(m3(otherRun), answer)).kind).toBe('send')
  })

  test('works overlapping calls off one after the other', async () => {
    const gate = new MessageGate('m2', runId)
    const order: string[] = []
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const first = gate.pass(m2(), async () => {
      order.push('first begins')
      await held
      gate.expected = 'm3'
      order.push('first ends')
      return answer()
    })
    const second = gate.pass(m3(), () => {
      order.push('second')
      return answer()
    })
    release()
    expect([(await first).kind, (await second).kind]).toEqual(['send', 'send'])
    expect(order).toEqual(['first begins', 'first ends', 'second'])
  })

  test('a step that rejects ends the run and not the gate', async () => {
    const gate = new MessageGate('m2', runId)
    await expect(gate.pass(m2(), () => Promise.reject(new Error('no socket')))).rejects.toThrow('no socket')
    expect((await gate.pass(m2(), answer)).kind).toBe('ignored')
  })

  test('the step gets a copy that nobody changes under it', async () => {
    const gate = new MessageGate('m2', runId)
    const message = m2()
    const passed = gate.pass(message, (copy) => Promise.resolve(send(copy)))
    message.fill(0)
    const step = await passed
    expect(step.kind === 'send' && step.message[0]).toBe(2)
  })
})

// What every bound rule action promises, whatever its target: run from the test of each action.
import { describe, expect, test } from 'vitest'
import type { ActionDeps } from '../../gateway/actions/action.ts'
import { type ActionEntry, actionSchema } from '../../gateway/actions/index.ts'
import { GatewayError } from '../../gateway/errors.ts'
import { bindSink, createDelivery, createDeps, delivered } from '../helpers/delivery.ts'
import { settled } from '../helpers/manual-clock.ts'

/** `fail` may pass, `refuse` never will. */
export type Fate = 'accept' | 'refuse' | 'fail'

export interface SinkUnderTest {
  readonly entry: unknown
  /** Makes the target of the action from a function that decides each body's fate; the target answers when that has resolved. */
  target(decide: (body: string) => Promise<Fate>): Partial<ActionDeps>
  /** How long it gathers bodies before the target sees any. */
  readonly lingerMs?: number
  /** What does not apply to the action, with the reason. */
  readonly skip?: { readonly refusal?: string; readonly abort?: string }
}

export function testSink({ entry, target, lingerMs = 0, skip = {} }: SinkUnderTest): void {
  const setUp = (decide: (body: string) => Promise<Fate>) => {
    const seen: string[] = []
    const deps = createDeps(
      target((body) => {
        seen.push(body)
        return decide(body)
      }),
    )
    const sink = bindSink(actionSchema.parse(entry) as ActionEntry, deps)
    const leave = new AbortController()
    const fates: string[] = []
    const deliver = (body: string) =>
      delivered(sink, createDelivery({ body, key: `01JZ.rule.${body}` }), leave.signal).then(
        () => fates.push(`${body} accepted`),
        (error) => fates.push(`${body} ${error instanceof GatewayError ? (error.retryable ? 'left' : 'refused') : error}`),
      )
    const gathered = async () => {
      await settled()
      await deps.clock.advance(lingerMs)
    }
    return { sink, deliver, fates, seen, leave, gathered, clock: deps.clock }
  }

  describe('as every action', () => {
    test('it resolves when the target has accepted, and not before', async () => {
      const answer = Promise.withResolvers<Fate>()
      const { deliver, fates, seen, gathered } = setUp(() => answer.promise)
      deliver('1')
      await gathered()
      expect(seen).toEqual(['1'])
      expect(fates).toEqual([])
      answer.resolve('accept')
      await settled()
      expect(fates).toEqual(['1 accepted'])
    })

    test('stop waits for what was handed over, and may be called twice', async () => {
      const answer = Promise.withResolvers<Fate>()
      const { sink, deliver, fates } = setUp(() => answer.promise)
      await sink.stop?.()
      const delivered = deliver('1')
      const stopped = (async () => {
        await (sink.stop ? sink.stop() : delivered)
        fates.push('stopped')
      })()
      await settled()
      expect(fates).toEqual([])
      answer.resolve('accept')
      await stopped
      await sink.stop?.()
      expect(fates).toEqual(['1 accepted', 'stopped'])
    })

    test.skipIf(skip.refusal)('each body has its own fate, and a refusal is final', async () => {
      const { deliver, fates, gathered } = setUp(async (body) => (body === '2' ? 'refuse' : 'accept'))
      for (const body of ['1', '2', '3']) deliver(body)
      await gathered()
      expect(fates.sort()).toEqual(['1 accepted', '2 refused', '3 accepted'])
    })

    test.skipIf(skip.refusal)('what may pass is tried again', async () => {
      let failures = 1
      const { deliver, fates, gathered, clock } = setUp(async () => (failures-- > 0 ? 'fail' : 'accept'))
      deliver('1')
      await gathered()
      expect(fates).toEqual([])
      await clock.advance(1_000)
      expect(fates).toEqual(['1 accepted'])
    })

    test.skipIf(skip.abort)('a caller that goes is answered at once', async () => {
      const { deliver, fates, gathered, leave } = setUp(() => new Promise(() => undefined))
      deliver('1')
      await gathered()
      leave.abort()
      await settled()
      expect(fates).toEqual(['1 left'])
    })
  })
}

import { expect, test } from 'vitest'
import type { Dispatch, Fate } from '../../../gateway/delivery/dispatch.ts'
import { createPipeline } from '../../../gateway/delivery/pipeline.ts'
import { createLedger } from '../../../gateway/observe/ledger.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import type { RuleSet } from '../../../gateway/rules/rule-set.ts'
import { createDirectSpool } from '../../../gateway/spool/direct.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import type { Outcome } from '../../../gateway/spool/spool.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs } from '../../helpers/memory-fs.ts'
import { createMessage } from '../../helpers/message.ts'

const noRules: RuleSet = { rules: [], match: () => [], named: () => undefined, stop: async () => {} }

const aPipeline = async (dispatch: Dispatch, maxInFlight = 10) => {
  const clock = createManualClock()
  const observe = createObserve()
  const spool = createDirectSpool({ clock, maxBytes: 1_000_000, ackTimeoutMs: 60_000 })
  await spool.start()
  const pipeline = createPipeline({ spool, dispatch, ruleSet: () => noRules, observe, clock, maxInFlight })
  pipeline.start()
  const ledger = createLedger(observe.metrics, () => ({ queued: spool.depth().messages, pending: pipeline.pending() }))
  return { clock, observe, spool, pipeline, ledger }
}

/** A dispatch whose outcomes the test gives one by one. */
const heldDispatch = () => {
  const held: { readonly topic: string; finish(outcome: Outcome): void }[] = []
  const dispatch: Dispatch = (message, _rules, signal, settle) => {
    let open = true
    const finish = (fate: Fate) => {
      if (open) settle(fate)
      open = false
    }
    held.push({ topic: message.topic, finish })
    signal.addEventListener('abort', () => finish('left'))
  }
  return { held, dispatch }
}

test('what is accepted is settled with its outcome, and the books balance at every step', async () => {
  const { held, dispatch } = heldDispatch()
  const { pipeline, ledger } = await aPipeline(dispatch)
  const first = pipeline.ingest(createMessage())
  const second = pipeline.ingest(createMessage())
  await settled()
  expect(ledger()).toMatchObject({ accepted: 0, pending: 2, queued: 2, balanced: true })
  held[1]!.finish('unmatched')
  await settled()
  expect(ledger()).toMatchObject({ accepted: 0, pending: 2, unmatched: 1, queued: 1, balanced: true })
  held[0]!.finish('delivered')
  await Promise.all([first, second])
  expect(ledger()).toMatchObject({ accepted: 2, pending: 0, delivered: 1, unmatched: 1, queued: 0, balanced: true })
})

test('no more than the limit is with the targets at one time, oldest first', async () => {
  const { held, dispatch } = heldDispatch()
  const { pipeline } = await aPipeline(dispatch, 2)
  for (const topic of ['a', 'b', 'c']) pipeline.ingest(createMessage({}, { topic })).catch(() => {})
  await settled()
  expect(held.map(({ topic }) => topic)).toEqual(['a', 'b'])
  held[1]!.finish('delivered')
  await settled()
  expect(held.map(({ topic }) => topic)).toEqual(['a', 'b', 'c'])
})

test('stop refuses new messages and waits for the accepted ones', async () => {
  const { held, dispatch } = heldDispatch()
  const { pipeline, clock, ledger } = await aPipeline(dispatch)
  const accepted = pipeline.ingest(createMessage())
  await settled()
  const stopped = pipeline.stop(10_000)
  await expect(pipeline.ingest(createMessage())).rejects.toMatchObject({ code: 'STOPPING' })
  held[0]!.finish('delivered')
  await clock.advance(100)
  await Promise.all([accepted, stopped])
  expect(ledger()).toMatchObject({ accepted: 1, delivered: 1, refused: { STOPPING: 1 }, balanced: true })
})

test('when the time to drain is over the rest is let go, and its senders are told', async () => {
  const { dispatch } = heldDispatch()
  const { pipeline, spool, clock, ledger } = await aPipeline(dispatch)
  const refused = expect(pipeline.ingest(createMessage())).rejects.toMatchObject({ code: 'STOPPING' })
  await settled()
  const stopped = pipeline.stop(1_000)
  await clock.advance(1_100)
  await stopped
  await spool.stop()
  await refused
  expect(ledger()).toMatchObject({ accepted: 0, queued: 0, refused: { STOPPING: 1 }, balanced: true })
})

test('a refused QoS 0 message is shed, not refused: nobody was promised anything', async () => {
  const { pipeline, ledger } = await aPipeline((_message, _rules, _signal, settle) => settle('delivered'))
  await expect(pipeline.ingest(createMessage('x'.repeat(2_000_000), { qos: 0 }))).rejects.toMatchObject({ code: 'SPOOL_FULL' })
  expect(ledger()).toMatchObject({ refused: {}, shed: { SPOOL_FULL: 1 } })
})

test('a full spool empties although every message in it is republished', async () => {
  const clock = createManualClock()
  const observe = createObserve()
  const spool = createFileSpool({ dir: '/spool', maxBytes: 8_192, clock, observe, fs: createMemoryFs() })
  await spool.start()
  const republishing: Dispatch = (message, _rules, _signal, settle) => {
    if (message.hops > 0) settle('delivered')
    else pipeline.ingest({ ...message, hops: 1 }).then(() => settle('delivered'))
  }
  const pipeline = createPipeline({ spool, dispatch: republishing, ruleSet: () => noRules, observe, clock, maxInFlight: 4 })
  const ledger = createLedger(observe.metrics, () => ({ queued: spool.depth().messages, pending: pipeline.pending() }))
  const full = async (): Promise<unknown> => pipeline.ingest(createMessage('x'.repeat(200))).then(full, (error) => error)
  expect(await full()).toMatchObject({ code: 'SPOOL_FULL' })
  const held = spool.depth().messages
  pipeline.start()
  while (spool.depth().messages > 0) await settled()
  expect(ledger()).toMatchObject({ accepted: 2 * held, delivered: 2 * held, queued: 0, balanced: true })
  await pipeline.stop(0)
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planOf, type Situation } from '../../../gateway/plan/plan.ts'
import { type Load, marginsOf, ordinaryLoad } from '../../../gateway/plan/quotas.ts'
import { recordBytes, spoolSize } from '../../../gateway/plan/spool.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs } from '../../helpers/memory-fs.ts'
import { createMessage } from '../../helpers/message.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const hour = 3_600_000
const topic = 'dt/coldchain/acme/truck-7/freezer-00001/telemetry'
const clientId = 'freezer-00001'

const situation = (load: Partial<Load> = {}, more: Partial<Situation> = {}): Situation => ({
  load: { ...ordinaryLoad, devices: 1_000, intervalMs: 1_000, capacityPerSecond: 3_000, ...load },
  reading: { payloadBytes: load.payloadBytes ?? ordinaryLoad.payloadBytes, topic, clientId },
  region: 'large',
  outageMs: hour,
  connectsPerSecond: 500,
  retentionMs: 96 * hour,
  ...more,
})

describe('recovery is backlog over spare rate', () => {
  test('an hour of 1000/s at 3000/s is half an hour', () => {
    const { backlogMessages, recovery, problems } = planOf(situation())
    expect(backlogMessages).toBe(3_600_000)
    expect(recovery).toEqual({ capacityPerSecond: 3_000, sparePerSecond: 2_000, ms: 1_800_000 })
    expect(problems).toEqual([])
  })

  test.each([
    [1_000, 'stays'],
    [999, 'grows'],
    [0, 'grows'],
  ])('with %d/s for 1000/s it never is, and the backlog %s', (capacityPerSecond, word) => {
    const { recovery, problems } = planOf(situation({ capacityPerSecond }))
    expect(recovery.ms).toBeNull()
    expect(problems).toEqual([expect.stringMatching(`never recovers: .* so the backlog ${word}$`)])
  })

  test('a FIFO queue gives no more than 3000/s', () => {
    expect(planOf(situation({ capacityPerSecond: 50_000, queue: 'fifo' })).recovery.sparePerSecond).toBe(2_000)
  })

  test('while it lasts, what is handled is what waited and what came', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 10, max: 1e6 }),
        fc.integer({ min: 1, max: 1e8 }),
        fc.double({ min: 1.001, max: 50, noNaN: true }),
        (devices, intervalMs, outageMs, factor) => {
          const arrivals = (devices * 1_000) / intervalMs
          const capacityPerSecond = arrivals * factor
          const { recovery, backlogMessages } = planOf(situation({ devices, intervalMs, capacityPerSecond }, { outageMs }))
          const handled = (capacityPerSecond * recovery.ms!) / 1_000
          const came = (arrivals * recovery.ms!) / 1_000
          expect(Math.abs(handled - came - backlogMessages)).toBeLessThan(1 + capacityPerSecond / 1_000)
        },
      ),
    )
  })
})

describe('the spool', () => {
  test('a spool too small for the outage says when, and what would do', () => {
    const { spool, problems } = planOf(situation({}, { spoolMaxBytes: 512 * 1024 ** 2 }))
    expect(spool.fullAfterMs).toBeGreaterThan(0)
    expect(spool.fullAfterMs).toBeLessThan(hour)
    expect(problems).toEqual([expect.stringMatching(/^a spool of 512.0 MiB is full after .*: set spool.maxBytes to 1\.\d GiB$/)])
    expect(planOf(situation({}, { spoolMaxBytes: spool.neededMaxBytes })).problems).toEqual([])
  })

  test('of no given size it only tells', () => {
    const { spool, problems } = planOf(situation({}, { outageMs: 10 * hour }))
    expect(spool.fullAfterMs).not.toBeNull()
    expect(problems).toEqual([])
  })

  test('the sum is what a real spool writes for such messages, within 3 %', async () => {
    const words = (min: number, max: number) => fc.string({ minLength: min, maxLength: max, unit: fc.constantFrom(...'abcdefgh-0123') })
    const cases = fc.record({
      messages: fc.integer({ min: 50, max: 300 }),
      payloadBytes: fc.integer({ min: 1, max: 2_000 }),
      tenant: words(4, 20),
      clientId: words(5, 30),
      segmentBytes: fc.integer({ min: 16_384, max: 262_144 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ messages, payloadBytes, tenant, clientId, segmentBytes }) => {
        const fs = createMemoryFs()
        const spool = createFileSpool({
          ...{ dir: '/spool', maxBytes: 1024 ** 3, segmentBytes, fs },
          ...{ clock: createManualClock(), observe: createSpyObserve() },
        })
        await spool.start()
        const topic = `dt/line/${tenant}/telemetry`
        const source = { clientId, transport: 'mqtts', principal: 'e'.repeat(64), sourceIp: '198.51.100.7', tenant } as const
        const all = Array.from({ length: messages }, () => createMessage(Buffer.alloc(payloadBytes), { topic, source }))
        await Promise.all(all.map((message) => spool.append(message)))
        await spool.stop()
        const written = [...fs.files].filter(([path]) => path.endsWith('.seg')).reduce((sum, [, content]) => sum + content.length, 0)
        const { bytes } = spoolSize(messages, recordBytes({ payloadBytes, topic, clientId }), segmentBytes)
        expect(Math.abs(written / bytes - 1)).toBeLessThan(0.03)
      }),
      { numRuns: 30 },
    )
  })
})

test('a fleet connects again as fast as the rate lets it', () => {
  const { connectStorm } = planOf(situation({ devices: 50_000 }))
  expect(connectStorm).toEqual({ connectsPerSecond: 500, ms: 100_000, quotaPerSecond: 3_000, atQuotaMs: 16_667 })
  expect(planOf(situation({ devices: 50_000 }, { region: 'small' })).connectStorm.atQuotaMs).toBe(500_000)
})

test('an outage beyond the retention loses what waits', () => {
  const { problems } = planOf(situation({}, { outageMs: 100 * hour, retentionMs: 96 * hour }))
  expect(problems).toEqual([expect.stringContaining('queues keep messages 4d')])
})

describe('quotas', () => {
  const of = (load: Partial<Load>, region: 'large' | 'small' = 'large') =>
    Object.fromEntries(
      marginsOf({ ...ordinaryLoad, devices: 1_000, intervalMs: 1_000, ...load }, region).map((margin) => [margin.name, margin]),
    )

  test('each with what is used, the limit and the share, fullest first', () => {
    const margins = marginsOf({ ...ordinaryLoad, devices: 250_000, intervalMs: 50_000 }, 'large')
    expect(margins[0]).toMatchObject({ name: 'connections', used: 250_000, limit: 500_000, share: 0.5 })
    expect(margins.map(({ share }) => share)).toEqual(margins.map(({ share }) => share).sort((a, b) => b - a))
  })

  test('smaller Regions have smaller ones', () => {
    expect(of({}, 'small').inboundPublishesPerSecond).toMatchObject({ used: 1_000, limit: 2_000 })
    expect(of({}).inboundPublishesPerSecond).toMatchObject({ used: 1_000, limit: 20_000 })
  })

  test('rules on a message count each', () => expect(of({ rulesPerMessage: 4 }).ruleEvaluationsPerSecond!.used).toBe(4_000))
  test('consumers hold what they handle at a time', () =>
    expect(of({ capacityPerSecond: 2_000, handlingMs: 500 }).sqsInFlight!.used).toBe(1_000))
  test('of FIFO queues only with one', () => {
    expect(of({}).fifoMessagesPerSecond).toBeUndefined()
    expect(of({ queue: 'fifo', devices: 6_000 }).fifoMessagesPerSecond).toMatchObject({ share: 2 })
  })

  test('what is over one is a problem', () => {
    expect(planOf(situation({ devices: 40_000, capacityPerSecond: 1e6, handlingMs: 1 })).problems).toEqual([
      'inboundPublishesPerSecond is over the quota: 40,000 of 20,000 1/s for each account',
      'ruleEvaluationsPerSecond is over the quota: 40,000 of 20,000 1/s for each account',
    ])
  })
})

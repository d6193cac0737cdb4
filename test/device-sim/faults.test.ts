import { expect, test } from 'vitest'
import { createDevices } from '../../device-sim/device.ts'
import { createFaults, type Fault, fault } from '../../device-sim/faults.ts'
import type { Numbered } from '../../device-sim/reading.ts'
import { parseScenario } from '../../device-sim/scenario.ts'
import { createPlan } from '../../device-sim/schedule.ts'

const reading = (seq: number): Numbered => ({ topic: 't', payload: Buffer.from(`{"seq":${seq}}`), qos: 1, device: 'd', boot: 1, seq })
const parse = (input: object): Fault => fault.parse(input)

function sent(input: object, count = 1_000, number = 7) {
  const faults = createFaults([parse(input)], number, 7)!
  const kinds: string[] = []
  const out = Array.from({ length: count }, (_, i) => faults.alter(reading(i + 1), (kind) => kinds.push(kind))).flat()
  return { out: [...out, ...faults.rest()], kinds }
}

test('a duplicate is the same bytes again, at once', () => {
  const { out, kinds } = sent({ kind: 'duplicate', chance: 0.1 })
  expect(out.length).toBe(1_000 + kinds.length)
  expect(kinds.length).toBeGreaterThan(60)
  expect(kinds.length).toBeLessThan(140)
})

test('a reordered reading follows its follower, and nothing is lost', () => {
  const { out, kinds } = sent({ kind: 'reorder', chance: 0.1 })
  const seqs = out.map(({ reading }) => reading.seq)
  expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1))
  const behind = seqs.filter((seq, i) => i > 0 && seq < seqs[i - 1]!)
  expect(behind.length).toBe(kinds.length)
  expect(behind.every((seq) => seqs[seqs.indexOf(seq) - 1] === seq + 1)).toBe(true)
})

test('delayed, oversized, malformed', () => {
  expect(sent({ kind: 'delay', chance: 1, by: '3s' }).out[0]).toMatchObject({ delayMs: 3_000 })
  const big = sent({ kind: 'oversized', chance: 1 }).out[0]!.reading.payload
  expect(big.length).toBe(131_073)
  expect(JSON.parse(Buffer.from(big).toString())).toEqual({ seq: 1 })
  expect(() => JSON.parse(Buffer.from(sent({ kind: 'malformed', chance: 1 }).out[0]!.reading.payload).toString())).toThrow()
})

test('a share of the devices is struck, the same ones whatever else goes wrong', () => {
  const cut = parse({ kind: 'cut', every: '10s', share: 0.3 })
  const struck = (faults: Fault[]) =>
    Array.from({ length: 1_000 }, (_, n) => createFaults(faults, n, 7)?.links.some(({ fault }) => fault.kind === 'cut') ?? false)
  const alone = struck([cut])
  expect(alone.filter(Boolean).length).toBeGreaterThan(250)
  expect(alone.filter(Boolean).length).toBeLessThan(350)
  expect(struck([cut, parse({ kind: 'skew', share: 0.5 })])).toEqual(alone)
})

test('a wrong clock is in the payload', () => {
  const scenario = parseScenario({ devices: 1, faults: [{ kind: 'skew', byMs: -5_000 }] })
  const [first] = createDevices(scenario, 7, 1_000_000)[0]!.take(1_000_000)
  expect(JSON.parse(Buffer.from(first!.payload).toString()).at).toBe(995_000)
})

test('the timeline of faults is the same for 10 devices and for 1,000', () => {
  const timeline = (devices: number) => {
    const scenario = parseScenario({
      devices,
      faults: [
        { kind: 'cut', every: '20s' },
        { kind: 'flap', every: '1m', share: 0.9 },
        { kind: 'duplicate', chance: 0.2 },
      ],
    })
    const device = createDevices(scenario, 7, 0)[7]!
    const links = device.faults!.links
    const plan = createPlan(links, { endMs: 600_000 })
    const all: unknown[] = []
    while (plan.nextAt < Number.POSITIVE_INFINITY) {
      const { at, device: i } = plan.next()
      all.push([at, links[i]!.fault.kind])
    }
    for (let at = 0; at < 100_000; at += 1_000)
      for (const reading of device.take(at)) device.faults!.alter(reading, (kind) => all.push([at, kind]))
    return all
  }
  expect(timeline(10).length).toBeGreaterThan(40)
  expect(timeline(10)).toEqual(timeline(1_000))
})

test('a reboot starts the sequences again under the next boot number', () => {
  const device = createDevices(parseScenario({ devices: 1 }), 7, 0)[0]!
  device.take(1_000)
  device.reboot()
  expect(device.take(2_000)[0]).toMatchObject({ boot: 2, seq: 1 })
})

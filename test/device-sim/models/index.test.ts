import { decode } from 'cborg'
import { describe, expect, test } from 'vitest'
import { createDevices } from '../../../device-sim/device.ts'
import { type ModelName, modelNamed, models } from '../../../device-sim/models/index.ts'
import { parseScenario } from '../../../device-sim/scenario.ts'

const start = Date.UTC(2026, 0, 1)

function live(model: ModelName, params: object = {}, { steps = 200, everyMs = 60_000, devices = 8, number = 7 } = {}) {
  const scenario = parseScenario({ devices, populations: [{ model, params }] })
  const device = createDevices(scenario, 7, start)[number]!
  return Array.from({ length: steps }, (_, i) => device.take(start + i * everyMs)).flat()
}

type Body = Record<string, number> & { position?: { lat: number; lon: number }; spectrum?: number[] }
const bodies = (...args: Parameters<typeof live>): Body[] => live(...args).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()))

describe.each(Object.keys(models) as ModelName[])('%s', (name) => {
  test('the same seed gives the same bytes, whatever the number of devices around', () => {
    expect(live(name)).toEqual(live(name, {}, { devices: 300 }))
    expect(live(name).map(({ payload }) => Buffer.from(payload))).not.toEqual(
      live(name, {}, { number: 3 }).map(({ payload }) => Buffer.from(payload)),
    )
  })

  test('does not look at the clock or at anything but its arguments', () => {
    const model = modelNamed(name)
    const params = model.params.parse({})
    const numbers = () => {
      let n = 0
      return () => (n++ * 0.618034) % 1
    }
    const run = () => {
      const random = numbers()
      return model.step(params, model.boot(params, start, random), start + 1_000, random)
    }
    expect(run()).toEqual(run())
  })

  test('says what it is and what each parameter means', () => {
    expect(models[name].summary).toMatch(/\.$/)
    expect(Object.entries(models[name].params.shape).filter(([, field]) => !field.description)).toEqual([])
  })
})

test('a meter never counts backwards, and exports only with panels on the roof', () => {
  const plain = bodies('meter', {}, { everyMs: 900_000 })
  const solar = bodies('meter', { solarWatts: 5_000 }, { everyMs: 900_000 })
  expect(plain.every(({ imported }, i) => i === 0 || imported! >= plain[i - 1]!.imported!)).toBe(true)
  expect(plain.at(-1)!.exported).toBe(0)
  expect(solar.at(-1)!.exported).toBeGreaterThan(0)
})

test('a tracker stays near its route, moves, and loses its fix as often as asked', () => {
  const all = bodies(
    'tracker',
    {
      noFixChance: 0.2,
      noiseMetres: 10,
      route: [
        [0, 0],
        [0, 1],
      ],
    },
    { steps: 1_000 },
  )
  const fixed = all.flatMap(({ position }) => position ?? [])
  expect(fixed.length).toBeGreaterThan(740)
  expect(fixed.length).toBeLessThan(860)
  expect(Math.max(...fixed.map(({ lat }) => Math.abs(lat)))).toBeLessThan(0.001)
  expect(Math.min(...fixed.map(({ lon }) => lon))).toBeLessThan(0.1)
  expect(Math.max(...fixed.map(({ lon }) => lon))).toBeGreaterThan(0.9)
})

test('a thermostat keeps day and night and tells the changes', () => {
  const all = bodies('thermostat', { day: 21, night: 17 }, { steps: 48 * 12, everyMs: 300_000 })
  const modes = live('thermostat', {}, { steps: 48 * 12, everyMs: 300_000 }).filter(({ topic }) => topic.endsWith('/mode'))
  expect(modes).toHaveLength(5)
  const atNoon = all.filter(({ at }) => at === start + 36 * 3_600_000 && true).map(({ temperature }) => temperature!)
  expect(Math.abs(atNoon.find((t) => t !== undefined)! - 21)).toBeLessThan(1)
})

test('a vibration sensor speaks CBOR, smaller than the same in JSON, and wears out', () => {
  const [first] = live('vibration')
  const body = decode(first!.payload) as Body
  expect(body).toMatchObject({ device: 'vibration-00007', boot: 1, seq: 1, at: start })
  expect(body.spectrum).toHaveLength(64)
  const json = createDevices(parseScenario({ devices: 8, populations: [{ model: 'vibration', encoding: 'json' }] }), 7, start)[7]!.take(
    start,
  )[0]!
  expect(JSON.parse(Buffer.from(json.payload).toString())).toEqual(body)
  const rms = live('vibration', { wearPerDay: 1 }, { everyMs: 3_600_000 }).map(({ payload }) => (decode(payload) as Body).rms!)
  expect(rms.at(-1)!).toBeGreaterThan(rms[0]! * 2)
})

test('a hub speaks for its children, each with a sequence of its own', () => {
  const readings = live('hub', { children: 3, missingChance: 0.5 }, { steps: 50 })
  const names = new Set(readings.map(({ device }) => device))
  expect(names).toEqual(new Set(['hub-00007', 'hub-00007-s1', 'hub-00007-s2', 'hub-00007-s3']))
  for (const name of names) {
    const own = readings.filter(({ device }) => device === name)
    expect(own.map(({ seq }) => seq)).toEqual(own.map((_, i) => i + 1))
    expect(own.every(({ topic }) => topic.includes(`/${name}/`))).toBe(true)
  }
})

test('a noisy device sends volleys as large as asked', () => {
  const readings = live('noisy', { readingsEach: 25, paddingBytes: 1_000 }, { steps: 2 })
  expect(readings).toHaveLength(50)
  expect(readings[0]!.payload.length).toBeGreaterThan(1_000)
})

import { expect, test } from 'vitest'
import { createDevices } from '../../device-sim/device.ts'
import { parseScenario } from '../../device-sim/scenario.ts'

const start = Date.UTC(2026, 0, 1)
const said = (devices: number, number: number, seed = 7) => {
  const device = createDevices(parseScenario({ devices }), seed, start)[number]!
  return Array.from({ length: 200 }, (_, i) => device.take(start + i * 10_000)).flat()
}

test('the same seed gives the same bytes, whatever the number of devices around', () => {
  expect(said(10, 7)).toEqual(said(1_000, 7))
  expect(said(10, 7)).not.toEqual(said(10, 7, 8))
  expect(said(10, 7)).not.toEqual(said(10, 8))
})

test('a fleet that begins at another device has the devices of a larger one', () => {
  const populations = [
    { model: 'freezer' as const, share: 3 },
    { model: 'tracker' as const, tenants: ['c'] },
  ]
  const describe = (scenario: object) =>
    createDevices(parseScenario({ populations, ...scenario }), 7, start).map(({ id, tenant, site, take }) => [
      id,
      tenant,
      site,
      take(start),
    ])
  expect(describe({ devices: 10, firstDevice: 20 })).toEqual(describe({ devices: 30 }).slice(20))
  const workers = [0, 1, 2].flatMap((worker) =>
    createDevices(parseScenario({ devices: 10, firstDevice: 20 }), 7, start, { worker, workers: 3 }).map(({ id }) => id),
  )
  expect(workers.toSorted()).toEqual(createDevices(parseScenario({ devices: 10, firstDevice: 20 }), 7, start).map(({ id }) => id))
})

test('a prefix is part of the name of a device wherever it is named', () => {
  const [device] = createDevices(parseScenario({ prefix: 'b-' }), 7, start)
  const [reading] = device!.take(start)
  expect(device!.id).toBe('b-freezer-00000')
  expect(reading).toMatchObject({ device: 'b-freezer-00000', topic: 'dt/coldchain/acme/site-1/b-freezer-00000/telemetry' })
  expect(() => parseScenario({ prefix: 'a/b' })).toThrow('prefix: expected at most 64 letters, digits, - and _')
})

test('a reading says which device, which boot, which number and when', () => {
  const [first, second] = said(10, 7)
  expect(first!.topic).toBe('dt/coldchain/dairyland/site-1/freezer-00007/telemetry')
  expect(JSON.parse(Buffer.from(first!.payload).toString())).toMatchObject({
    device: 'freezer-00007',
    boot: 1,
    seq: 1,
    at: start,
    door: 'closed',
  })
  expect(JSON.parse(Buffer.from(second!.payload).toString())).toMatchObject({ seq: 2 })
  expect(first!.payload.length).toBeGreaterThan(120)
  expect(first!.payload.length).toBeLessThan(260)
})

test('populations mix by share from the first device on, tenants and sites in turn', () => {
  const scenario = parseScenario({
    devices: 100,
    tenants: ['a', 'b'],
    devicesPerSite: 10,
    populations: [
      { model: 'freezer', name: 'store', share: 3 },
      { model: 'freezer', name: 'truck', tenants: ['c'] },
    ],
  })
  const devices = createDevices(scenario, 1, start)
  for (const some of [devices.slice(0, 8), devices.slice(0, 40), devices]) {
    expect(some.filter(({ id }) => id.startsWith('truck')).length).toBe(some.length / 4)
  }
  expect(devices.filter(({ tenant }) => tenant === 'c').length).toBe(25)
  expect(new Set(devices.filter(({ tenant }) => tenant === 'a').map(({ site }) => site)).size).toBe(4)
  expect(new Set(devices.map(({ id }) => id)).size).toBe(100)
})

import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { runFleet } from '../../device-sim/fleet.ts'
import { parseScenario } from '../../device-sim/scenario.ts'
import { startBroker } from '../helpers/device-doors.ts'

const folder = new URL('../../examples/fleet/', import.meta.url)
const names = (await readdir(folder)).filter((name) => !name.endsWith('.schema.json'))

test.each(names)('%s runs', async (name) => {
  await using broker = await startBroker()
  const example = JSON.parse(await readFile(new URL(name, folder), 'utf8'))
  expect(example.name.length).toBeGreaterThan(10)
  parseScenario(example, name)
  const report = await runFleet(
    parseScenario({ ...example, devices: 30, duration: '1s', target: broker.url, verifyPatience: '200ms' }, name),
  )
  expect(report).toMatchObject({ devices: 30, connected: 30, failed: 0 })
  expect(broker.published.length).toBe(report.acked)
  expect(report.acked + report.dropped).toBeGreaterThan(0)
})

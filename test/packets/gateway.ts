// Plays cases against a gateway in a process of its own, without limits that would slow them down.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { aDirectory, aGatewayProcess } from '../helpers/program.ts'
import type { Case } from './cases/case.ts'
import { run } from './run.ts'

const rates = [
  ...['connectsPerClientPerSecond', 'connectsPerSecond', 'subscribesPerSecond', 'publishesPerSecond', 'bytesPerSecond'],
  'retainsPerTopicPerSecond',
]

/** Prints the count of cases. FAILURES in the environment names a file for all failures, with the bytes of each case. */
export async function expectNoFailures(cases: readonly Case[]): Promise<void> {
  const config = join(aDirectory(), 'gateway.json')
  writeFileSync(config, JSON.stringify({ access: { limits: Object.fromEntries(rates.map((name) => [name, 'off'])) } }))
  const { ports, child } = await aGatewayProcess(['--config', config, '--log-level', 'error'])
  const began = performance.now()
  const { count, failures } = await run(ports.mqtt!, cases)
  console.log(`${count} cases in ${Math.round(performance.now() - began)} ms, ${failures.length} failures`)
  if (process.env.FAILURES) writeFileSync(process.env.FAILURES, failures.join('\n'))
  expect(failures.slice(0, 20)).toEqual([])
  expect(child.exitCode).toBeNull()
}

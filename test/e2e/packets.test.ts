// Every packet of MQTT 3.1.1 and 5 that can be wrong in one way, sent to a gateway beside clients that it must go on serving.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDirectory, aGatewayProcess } from '../helpers/program.ts'
import { systematicCases } from '../packets/cases/index.ts'
import { randomCases } from '../packets/cases/random.ts'
import { run } from '../packets/run.ts'

const rates = ['connectsPerClientPerSecond', 'connectsPerSecond', 'subscribesPerSecond', 'publishesPerSecond', 'bytesPerSecond']

test('serves legal packets, refuses all others with their reason code, and disturbs nobody', async () => {
  const config = join(aDirectory(), 'gateway.json')
  writeFileSync(
    config,
    JSON.stringify({ access: { limits: Object.fromEntries([...rates, 'retainsPerTopicPerSecond'].map((name) => [name, 'off'])) } }),
  )
  const { ports, child } = await aGatewayProcess(['--config', config, '--log-level', 'error'])
  const began = performance.now()
  const { count, failures } = await run(ports.mqtt!, [...systematicCases(), ...randomCases(process.env.SEED ?? 1, 1_000)])
  console.log(`${count} cases in ${Math.round(performance.now() - began)} ms, ${failures.length} failures`)
  if (process.env.FAILURES) writeFileSync(process.env.FAILURES, failures.join('\n'))
  expect(failures.slice(0, 20)).toEqual([])
  expect(child.exitCode).toBeNull()
})

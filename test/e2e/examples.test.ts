// Every example configuration starts, and says so.
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { aGatewayProcess } from '../helpers/program.ts'

const examples = readdirSync('examples/gateway').filter((file) => file.endsWith('.json'))

test('there are examples', () => expect(examples.length).toBeGreaterThan(2))

test.each(examples)('examples/gateway/%s', async (file) => {
  const { ports, child, finished } = await aGatewayProcess(['--config', `examples/gateway/${file}`, '--log-level', 'info'])
  const health = await fetch(`http://127.0.0.1:${ports.admin}/healthz`)
  expect(await health.json()).toEqual({ status: 'ok', reasons: [] })
  child.kill('SIGTERM')
  expect((await finished).code).toBe(0)
})

// The example of consumers, with its handler module, as `weir consume` runs it.
import { expect, test } from 'vitest'
import { createSqsQueue } from '../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { startLocalSqs } from '../helpers/local-sqs.ts'
import { startWeir } from '../helpers/program.ts'

test('examples/gateway/consumers.json: warm readings are told, what is no reading is refused with a reason', async ({ onTestFinished }) => {
  const sqs = await startLocalSqs()
  onTestFinished(() => sqs.stop())
  for (const name of ['telemetry', 'telemetry-overflow', 'door-events.fifo']) sqs.createQueue(name)
  const bodies = ['{"temperature":-18.5}', '{"temperature":-3.5}', '{"humidity":40}', 'warm']
  const messages = bodies.map((body, i) => ({ id: `m${i}`, key: `k${i}`, group: 'acme', attributes: {}, body: Buffer.from(body) }))
  await createSqsQueue({ aws: sqs.aws, name: 'telemetry', visibilityTimeoutSeconds: 30, clock }).send(messages)

  const weir = startWeir(['consume', '--config', 'examples/gateway/consumers.json', '--aws-endpoint', sqs.endpoint])
  expect(JSON.parse(await weir.line('temperature'))).toEqual({ tenant: 'acme', temperature: -3.5, key: 'k1' })
  const dead = () => sqs.server.inspectQueue('telemetry-dlq')!.messages.ready
  while (dead().length < 2) await clock.sleep(20)
  weir.child.kill('SIGTERM')
  const { code, stdout } = await weir.finished
  expect(code).toBe(0)
  expect(stdout.trim().split('\n')).toHaveLength(1)
  const letters = createSqsQueue({ aws: sqs.aws, name: 'telemetry-dlq', visibilityTimeoutSeconds: 30, clock })
  const buried = await letters.receive(10, 0, new AbortController().signal)
  expect(buried.map(({ key, attributes }) => [key, attributes.reason]).sort()).toEqual([
    ['k2', 'HANDLER_REFUSED: the reading has no temperature'],
    ['k3', 'HANDLER_REFUSED: the body is not JSON'],
  ])
})

// What a consumer process holds stays its own for as long as its handler takes, whoever else asks.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createSqsQueue } from '../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { startLocalSqs } from '../helpers/local-sqs.ts'
import { aDirectory, startWeir } from '../helpers/program.ts'

const visibilityMs = 2_000

test('a handler that takes three times the visibility timeout: two processes on the queue, and nothing is delivered twice', async ({
  onTestFinished,
}) => {
  const sqs = await startLocalSqs()
  onTestFinished(() => sqs.stop())
  sqs.createQueue('slow')
  const messages = Array.from({ length: 6 }, (_, i) => ({ id: `m${i}`, key: `k${i}`, group: '', attributes: {}, body: Buffer.from('{}') }))
  await createSqsQueue({ aws: sqs.aws, name: 'slow', visibilityTimeoutSeconds: 30, clock }).send(messages)
  const directory = aDirectory()
  await writeFile(
    join(directory, 'slow.mjs'),
    `
    import { appendFileSync } from 'node:fs'
    export default async ({ key, receives }) => {
      appendFileSync(${JSON.stringify(join(directory, 'seen.txt'))}, key + ' ' + receives + '\\n')
      await new Promise((resolve) => setTimeout(resolve, ${3 * visibilityMs}))
    }`,
  )
  const config = join(directory, 'consumers.json')
  const consumer = { queue: 'slow', handler: { kind: 'module', path: './slow.mjs' }, visibilityTimeout: `${visibilityMs}ms`, wait: '1s' }
  await writeFile(config, JSON.stringify({ consumers: [consumer] }))
  const args = ['consume', '--config', config, '--aws-endpoint', sqs.endpoint, '--json']
  const processes = [startWeir(args), startWeir(args)]
  const left = () => Object.values(sqs.server.inspectQueue('slow')!.messages).flat().length
  while (left() > 0) await clock.sleep(50)
  for (const { child } of processes) child.kill('SIGTERM')
  const done = await Promise.all(processes.map(async ({ finished }) => JSON.parse((await finished).stdout).consumers[0].handled as number))
  expect(done[0]! + done[1]!).toBe(6)
  const seen = readFileSync(join(directory, 'seen.txt'), 'utf8').trim().split('\n').sort()
  expect(seen).toEqual(messages.map(({ key }) => `${key} 1`))
})

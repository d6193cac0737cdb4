// Consumers as processes of their own against a real queue: shared, killed, poisoned, and repaired.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deadLetterNameOf } from '../../gateway/aws/clients.ts'
import type { Outgoing } from '../../gateway/consume/queue.ts'
import { createSqsQueue } from '../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { type LocalSqs, startLocalSqs } from '../helpers/local-sqs.ts'

let sqs: LocalSqs
let directory: string
beforeAll(async () => {
  sqs = await startLocalSqs()
  directory = await mkdtemp(join(tmpdir(), 'weir-consume-'))
})
afterAll(async () => {
  await sqs.stop()
  await rm(directory, { recursive: true })
})

function command(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, '../helpers/command.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function outputOf(child: ChildProcess): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', '']
  child.stdout!.on('data', (chunk) => (out += chunk))
  child.stderr!.on('data', (chunk) => (err += chunk))
  const [code] = await once(child, 'close')
  return { code: code as number, out, err }
}

async function json(...args: readonly string[]) {
  const { code, out, err } = await outputOf(command(...args, '--aws-endpoint', sqs.endpoint, '--json'))
  expect(err).toBe('')
  expect(code).toBe(0)
  return JSON.parse(out)
}

async function configFile(name: string, consumer: object): Promise<string> {
  const path = join(directory, `${name}.json`)
  // A short wait, because a stop lets the receive under way end by itself.
  await writeFile(path, JSON.stringify({ consumers: [{ wait: '1s', ...consumer }] }))
  return path
}

async function moduleFile(name: string, source: string): Promise<string> {
  await writeFile(join(directory, name), source)
  return name
}

const queueOf = (name: string) =>
  createSqsQueue({ aws: sqs.aws, name, deadLetterName: deadLetterNameOf(name), visibilityTimeoutSeconds: 30, clock })
const many = (count: number, group: (i: number) => string = () => 'acme'): Outgoing[] =>
  Array.from({ length: count }, (_, i) => ({ id: `m${i}`, key: `k${i}`, group: group(i), attributes: {}, body: Buffer.from(`{"n":${i}}`) }))

async function drained(name: string, dead = 0): Promise<void> {
  for (;;) {
    const { messages } = sqs.server.inspectQueue(name)!
    const left = messages.ready.length + messages.inflight.length + messages.delayed.length
    const buried = sqs.server.inspectQueue(deadLetterNameOf(name))!.messages.ready.length
    if (left === 0 && buried >= dead) return
    await clock.sleep(50)
  }
}

const linesOf = async (name: string) =>
  (await readFile(join(directory, name), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

test('two processes share a queue: everything is handled, nothing twice', async () => {
  sqs.createQueue('shared')
  await queueOf('shared').send(many(600, (i) => `tenant-${i % 4}`))
  const run = async (name: string) => {
    const config = await configFile(name, { queue: 'shared', handler: { kind: 'ndjson', path: `${name}.ndjson` } })
    return command('consume', '--config', config, '--aws-endpoint', sqs.endpoint, '--json')
  }
  const children = [await run('first'), await run('second')]
  const outputs = children.map(outputOf)
  await drained('shared')
  for (const child of children) child.kill('SIGTERM')
  const stats = (await Promise.all(outputs)).map(({ out }) => JSON.parse(out).consumers[0])
  const keys = [...(await linesOf('first.ndjson')), ...(await linesOf('second.ndjson'))].map((line) => JSON.parse(line).key)
  expect(keys).toHaveLength(600)
  expect(new Set(keys).size).toBe(600)
  expect(stats[0].handled + stats[1].handled).toBe(600)
})

test('messages sent at the moment of a stop are visible at once for the next consumer', async () => {
  sqs.createQueue('stopped')
  await queueOf('stopped').send(many(1))
  const config = await configFile('stopped', { queue: 'stopped', handler: { kind: 'log' }, wait: '5s' })
  const child = command('consume', '--config', config, '--aws-endpoint', sqs.endpoint)
  const output = outputOf(child)
  await drained('stopped') // it waits for more now
  child.kill('SIGINT')
  await clock.sleep(300)
  await queueOf('stopped').send(many(5))
  expect((await output).code).toBe(0)
  const { ready, inflight } = sqs.server.inspectQueue('stopped')!.messages
  expect({ ready: ready.length, inflight: inflight.length }).toEqual({ ready: 5, inflight: 0 })
})

test('kill -9 of a consumer loses nothing', async () => {
  sqs.createQueue('killed')
  await queueOf('killed').send(many(300))
  const path = await moduleFile(
    'slow.mjs',
    `
    import { appendFile } from 'node:fs/promises'
    export default async (item) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await appendFile(${JSON.stringify(join(directory, 'killed.txt'))}, item.key + '\\n')
    }`,
  )
  const config = await configFile('killed', { queue: 'killed', handler: { kind: 'module', path }, visibilityTimeout: '3s' })
  const first = command('consume', '--config', config, '--aws-endpoint', sqs.endpoint)
  while ((await linesOf('killed.txt')).length < 60) await clock.sleep(20)
  first.kill('SIGKILL')
  await once(first, 'close')
  expect((await linesOf('killed.txt')).length).toBeLessThan(300)
  const second = command('consume', '--config', config, '--aws-endpoint', sqs.endpoint)
  await drained('killed')
  second.kill('SIGTERM')
  const { code } = await outputOf(second)
  expect(code).toBe(0)
  expect(new Set(await linesOf('killed.txt')).size).toBe(300)
})

test('poison does not delay the rest; dead letters are listed by cause, dry-run, replayed with a repaired handler', async () => {
  sqs.createQueue('poisoned')
  await queueOf('poisoned').send(many(400, (i) => ['acme', 'bolt'][i % 2]!))
  const broken = await moduleFile(
    'broken.mjs',
    `
    class PermanentFailure extends Error { name = 'PermanentFailure'; constructor(reason) { super(reason); this.reason = reason } }
    export default async ({ body }) => {
      const { n } = JSON.parse(Buffer.from(body).toString())
      if (n % 100 === 7) throw new Error('connect postgres://bob:hunter2@10.0.0.7 refused at /srv/app/db.ts:10')
      if (n % 100 === 8) throw new PermanentFailure('unknown unit in reading ' + n)
    }`,
  )
  const config = await configFile('poisoned', {
    queue: 'poisoned',
    handler: { kind: 'module', path: broken },
    maxReceives: 2,
    retry: { base: '100ms', cap: '200ms' },
  })
  const child = command('consume', '--config', config, '--aws-endpoint', sqs.endpoint, '--json')
  const output = outputOf(child)
  await drained('poisoned', 8)
  child.kill('SIGTERM')
  expect(JSON.parse((await output).out).consumers[0]).toMatchObject({ handled: 392, failed: 8, buried: 8 })

  const { queues } = await json('dlq', 'ls', '--queue', 'poisoned')
  expect(queues).toMatchObject([
    {
      queue: 'poisoned-dlq',
      count: 8,
      causes: [
        { cause: 'HANDLER_FAILED: failed # times', count: 4, tenants: { bolt: 4 } },
        { cause: 'HANDLER_REFUSED: unknown unit in reading #', count: 4, tenants: { acme: 4 } },
      ],
    },
  ])
  expect(JSON.stringify(queues)).not.toMatch(/hunter2|postgres|srv|\.ts:/)
  expect(await json('dlq', 'show', 'k108', '--queue', 'poisoned')).toMatchObject({ key: 'k108', tenant: 'acme', payload: { n: 108 } })
  const dry = await json('dlq', 'replay', '--queue', 'poisoned', '--where', 'tenant=acme', '--dry-run')
  expect(dry.queues).toMatchObject([{ dryRun: true, seen: 8, matched: 4, replayed: 0, refused: 0 }])
  expect((await json('dlq', 'replay', '--queue', 'poisoned', '--rate', '50/s')).queues).toMatchObject([{ matched: 8, replayed: 8 }])

  const repaired = await configFile('repaired', { queue: 'poisoned', handler: { kind: 'ndjson', path: 'repaired.ndjson' } })
  const second = command('consume', '--config', repaired, '--aws-endpoint', sqs.endpoint)
  await drained('poisoned')
  second.kill('SIGTERM')
  await outputOf(second)
  const records = (await linesOf('repaired.ndjson')).map((line) => JSON.parse(line))
  expect(records.map(({ key }) => key).sort()).toEqual(['k107', 'k108', 'k207', 'k208', 'k307', 'k308', 'k7', 'k8'])
  expect(records.every(({ attributes }) => attributes.redriven === '1' && !('reason' in attributes))).toBe(true)
  expect(sqs.server.inspectQueue('poisoned-dlq')!.messages).toEqual({ ready: [], delayed: [], inflight: [] })
})

test('a config that does not fit is told in one sentence', async () => {
  const config = await configFile('wrong', { queue: 'x', handler: { kind: 'module', path: './nowhere.mjs' } })
  const { code, err } = await outputOf(command('consume', '--config', config, '--aws-endpoint', sqs.endpoint))
  expect(code).toBe(1)
  expect(err.trim().split('\n')).toHaveLength(1)
  expect(err).toContain('nowhere.mjs cannot be loaded')
})

// Only the upper bound: how much slower a loaded machine is says nothing about the limiter; its own test holds both with a manual clock.
test('four receivers together never exceed the rate', async () => {
  sqs.createQueue('paced')
  await queueOf('paced').send(many(400))
  const config = await configFile('paced', { queue: 'paced', handler: { kind: 'log' }, rate: '50/s', receivers: 4 })
  const child = command('consume', '--config', config, '--aws-endpoint', sqs.endpoint)
  const at: number[] = []
  child.stdout!.on('data', (chunk) => {
    const lines = String(chunk).split('\n').length - 1
    for (let i = 0; i < lines; i++) at.push(clock.monotonic())
  })
  while (at.length < 300) await clock.sleep(20)
  child.kill('SIGTERM')
  await outputOf(child)
  expect((250 * 1_000) / (at[299]! - at[49]!)).toBeLessThan(52.5)
})

test('backlog tells depth and growth as seen from outside', async () => {
  sqs.createQueue('behind')
  await queueOf('behind').send(many(20))
  const { queues } = await json('backlog', '--queue', 'behind', '--for', '200ms')
  expect(queues).toMatchObject([{ queue: 'behind', waiting: 20, inFlight: 0, outlook: 'does not move' }])
})

test('fairness on a real queue: nothing lost, and both columns', async () => {
  const { code, out } = await outputOf(
    command('fairness', '--times', '100', '--duration', '1500ms', '--aws-endpoint', sqs.endpoint, '--json'),
  )
  const { alone, off, on, againstOff } = JSON.parse(out)
  expect([0, 3]).toContain(code)
  expect(on.handled).toBe(off.handled)
  expect(alone.handled).toBeGreaterThan(0)
  expect(on.quietDwellMs.p95).toBeLessThan(off.quietDwellMs.p95)
  expect(againstOff).toBeGreaterThan(1)
})

test('dlq follows the RedrivePolicy from the source queue and back', async () => {
  sqs.server.createQueue('broken-orders', { attributes: {} })
  const deadLetterTargetArn = 'arn:aws:sqs:us-east-1:000000000000:broken-orders'
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 3 })
  for (const name of ['orders', 'invoices']) sqs.server.createQueue(name, { attributes: { RedrivePolicy } })
  const source = createSqsQueue({ aws: sqs.aws, name: 'orders', deadLetterName: 'broken-orders', visibilityTimeoutSeconds: 30, clock })
  await source.send(many(2))
  const items = await source.receive(10, 1_000, new AbortController().signal)
  for (const item of items) await source.bury(item, 'HANDLER_REFUSED: no')
  // As SQS moves a letter: without a word of where it came from, at least in the emulator.
  await queueOf('broken-orders').send([{ id: 'x', key: 'x', group: '', attributes: {}, body: Buffer.from('{}') }])
  expect((await json('dlq', 'ls', '--queue', 'orders')).queues).toMatchObject([{ queue: 'broken-orders', count: 3 }])
  const { out, code } = await outputOf(command('dlq', 'replay', '--queue', 'broken-orders', '--aws-endpoint', sqs.endpoint))
  expect(out).toBe(
    'broken-orders: 3 letters, 3 selected, 2 went back; 1 stay, because the queue they died in is not known, one of invoices, orders (--to <queue>)\n',
  )
  expect(code).toBe(0)
  expect(sqs.server.inspectQueue('orders')!.messages.ready).toHaveLength(2)
  expect((await json('dlq', 'replay', '--queue', 'invoices', '--to', 'invoices')).queues).toMatchObject([{ replayed: 1 }])
  expect(sqs.server.inspectQueue('invoices')!.messages.ready).toHaveLength(1)
})

test('dlq names a queue that has no dead-letter queue, and what would be one', async () => {
  sqs.server.createQueue('bare', { attributes: {} })
  const { code, err } = await outputOf(command('dlq', 'ls', '--queue', 'bare', '--aws-endpoint', sqs.endpoint))
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^weir: --queue bare has no dead-letter queue: .*bare-dlq.*\n$/) })
})

test('a dead letter that is not there is told in one sentence', async () => {
  sqs.createQueue('nothing-dead')
  const { code, out, err } = await outputOf(command('dlq', 'show', 'nobody', '--queue', 'nothing-dead', '--aws-endpoint', sqs.endpoint))
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/^weir: no dead letter has an id or key that begins with nobody\n$/)
})

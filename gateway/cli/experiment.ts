// What `weir fairness` and `weir ordering` share: queues of their own, a seeded load, and a count of what it cost in requests.
import { CreateQueueCommand, DeleteQueueCommand } from '@aws-sdk/client-sqs'
import type { Clock } from '../../lib/clock.ts'
import { printable } from '../../lib/printable.ts'
import { createRandom, randomSeed } from '../../lib/random.ts'
import { abortable, withStopSignal } from '../../lib/stop-signal.ts'
import { answerText } from '../aws/answer.ts'
import { createAws } from '../aws/clients.ts'
import type { Outgoing, Queue } from '../consume/queue.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError } from '../errors.ts'
import { startLocal } from '../local/local.ts'

export interface Bench {
  queue(name: string): Queue
  /** Calls so far, by operation: `ReceiveMessage`, `DeleteMessageBatch` … */
  readonly requests: () => Readonly<Record<string, number>>
  /** Creates queues that are deleted at the end. */
  createQueues(names: readonly string[]): Promise<void>
  stop(): Promise<void>
}

const account = { region: 'us-east-1', accountId: '000000000000' }

/** Runs with a bench and stops it; the first Ctrl-C or SIGTERM ends the run, and the queues are deleted. */
export function withBench(clock: Clock, endpoint: string | undefined, run: (bench: Bench) => Promise<void>): Promise<void> {
  return withStopSignal(async (signal) => {
    const bench = await openBench(clock, endpoint, signal)
    try {
      await abortable(run(bench), signal)
    } finally {
      await bench.stop()
    }
  })
}

/** The embedded SQS, or the one at the URL. */
export async function openBench(clock: Clock, endpoint: string | undefined, signal = new AbortController().signal): Promise<Bench> {
  const local = endpoint === undefined ? await startLocal({ port: 0, region: account.region, observe: { record() {} }, signal }) : undefined
  const aws = createAws({ ...account, endpoint: endpoint ?? local!.endpoint })
  const counts = new Map<string, number>()
  aws.sqs.middlewareStack.add(
    (next, { commandName = '' }) => {
      const name = commandName.replace(/Command$/, '')
      return (args) => {
        counts.set(name, (counts.get(name) ?? 0) + 1)
        return next(args)
      }
    },
    { step: 'initialize', name: 'weirCount' },
  )
  const created: string[] = []
  // A run that was interrupted may have left its queues behind, and what is in them.
  const run = randomSeed().toString(36)
  const named = (name: string) => name.replace(/(\.fifo)?$/, `-${run}$1`)
  return {
    queue: (name) => createSqsQueue({ aws, name: named(name), visibilityTimeoutSeconds: 30, clock }),
    requests: () => Object.fromEntries([...counts].sort()),
    async createQueues(names) {
      for (const QueueName of names.map(named)) {
        signal.throwIfAborted()
        const fifo = QueueName.endsWith('.fifo') ? { Attributes: { FifoQueue: 'true' } } : {}
        await aws.sqs.send(new CreateQueueCommand({ QueueName, ...fifo })).catch((cause) => {
          throw new GatewayError('QUEUE_UNREACHABLE', `no queue could be created: ${endpoint ?? 'the embedded SQS'} ${answerText(cause)}`, {
            cause,
          })
        })
        created.push(QueueName)
      }
    },
    async stop() {
      const deleted = created.map((name) => aws.sqs.send(new DeleteQueueCommand({ QueueUrl: aws.queueUrl(name) })))
      await Promise.allSettled(deleted)
      aws.stop()
      await local?.stop()
    },
  }
}

export interface Planned {
  /** Milliseconds after the start. */
  readonly atMs: number
  readonly message: Outgoing
}

/** Poisson arrivals of one sender; the same seed gives the same plan. */
export function planArrivals(seed: number, group: string, perSecond: number, durationMs: number): readonly Planned[] {
  const random = createRandom(seed, `arrivals ${group}`)
  const planned: Planned[] = []
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond
    if (atMs >= durationMs) return planned
    const key = `${group}-${planned.length}`
    planned.push({
      atMs,
      message: { id: key, key, group, attributes: {}, body: Buffer.from(JSON.stringify({ device: group, n: planned.length })) },
    })
  }
}

const tickMs = 10

/** Open loop: what is due is sent, whether or not the queue keeps up. Resolves when everything is stored. */
export async function sendPlan(plan: readonly Planned[], queue: Queue, clock: Clock): Promise<void> {
  const startedAt = clock.monotonic()
  const sends: Promise<void>[] = []
  for (let next = 0; next < plan.length; ) {
    const due = clock.monotonic() - startedAt
    const batch: Outgoing[] = []
    for (; next < plan.length && plan[next]!.atMs <= due; next++) batch.push(plan[next]!.message)
    if (batch.length > 0) {
      const sent = queue.send(batch)
      sent.catch(() => undefined) // rejects below
      sends.push(sent)
    }
    await clock.sleep(tickMs)
  }
  await Promise.all(sends)
}

/** Requests made between two counts, those that create or delete queues left out. */
export function since(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(now)
      .filter(([name]) => !name.endsWith('Queue'))
      .map(([name, count]) => [name, count - (before[name] ?? 0)]),
  )
}

/** Of unsorted numbers; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0
}

/** Text columns, right-aligned except the first. A cell is one line, whoever named what is in it. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

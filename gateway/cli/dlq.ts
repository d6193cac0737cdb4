// `weir dlq`: dead letters by cause, one of them in full, and the way back.
import { Command, InvalidArgumentError, Option } from 'commander'
import { systemClock as clock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import { abortable, withStopSignal } from '../../lib/stop-signal.ts'
import { formatDuration } from '../../lib/units.ts'
import { type Aws, deadLetterNameOf } from '../aws/clients.ts'
import { createDeadLetters, type DeadLetter, type DeadLetters, type ReplayReport, toCauses } from '../consume/dead-letters.ts'
import { toValue } from '../consume/handlers/record.ts'
import { type DeadLetterQueue, deadLetterQueues, deadLetterQueuesNamed } from '../consume/redrive.ts'
import { parseSelection, selectionHelp } from '../consume/selection.ts'
import { queueNameOf } from '../consume/sqs-item.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError } from '../errors.ts'
import { collect, toPerSecond, toText } from './arguments.ts'
import { table } from './experiment.ts'
import { type AwsFlags, addAwsFlags, withAws } from './reach.ts'

const examples = `
Examples:
  $ weir dlq ls                                        every dead-letter queue, by cause
  $ weir dlq show 5f0c                                 one letter and its payload, by the beginning of its id or key
  $ weir dlq replay --where cause=HANDLER_REFUSED --dry-run
  $ weir dlq replay --where tenant=acme --where 'age<1h' --rate 20/s
  $ weir dlq replay --queue failed-orders --to orders  where several queues share it, and SQS does not say which one a letter died in

A dead-letter queue is one that the RedrivePolicy of another queue names, or whose name is <queue>-dlq (<queue>-dlq.fifo).
Conditions: ${selectionHelp}. All must hold.
A replayed letter keeps its group and its idempotency key. One that comes back is replayed again only with --force.`

interface QueueFlags extends AwsFlags {
  readonly queue: readonly string[]
  readonly json?: true
}

interface ReplayFlags extends QueueFlags {
  readonly where: readonly string[]
  readonly dryRun?: true
  readonly rate?: number
  readonly to?: string
  readonly force?: true
}

const observe = { record() {} }
const visibilityTimeoutSeconds = 30

export function dlqCommand(): Command {
  const command = new Command('dlq').description('dead letters: why they died, what they hold, and back').addHelpText('after', examples)
  const add = (name: string, description: string) =>
    addAwsFlags(command.command(name).description(description))
      .addOption(
        new Option('--queue <name>', 'the queue they died in, or its dead-letter queue; may be repeated')
          .argParser(collect)
          .default([], 'all'),
      )
      .option('--json', 'print one JSON document')
      .addHelpText('after', examples)
  add('ls', 'dead letters grouped by cause').action((flags: QueueFlags) => withStopSignal((signal) => list(flags, signal)))
  add('show', 'one letter and its payload')
    .argument('<id>', 'id or key, or the beginning of one')
    .action((id: string, flags: QueueFlags) => withStopSignal((signal) => show(id, flags, signal)))
  add('replay', 'send letters back to their queue')
    .addOption(new Option('--where <condition>', 'which ones; may be repeated').argParser(toCondition).default([], 'all'))
    .option('--dry-run', 'only say what would be sent')
    .option('--to <queue>', 'send them to this queue (default: the queue each one died in)', toText)
    .option('--rate <rate>', 'letters a second, such as 20/s (default: as fast as it goes)', toPerSecond)
    .option('--force', 'also letters that were replayed before')
    .action((flags: ReplayFlags) => withStopSignal((signal) => replay(flags, signal)))
  return command
}

interface Opened extends DeadLetterQueue {
  readonly letters: DeadLetters
}

async function open(aws: Aws, { queue: asked }: QueueFlags, signal: AbortSignal): Promise<readonly Opened[]> {
  const all = await abortable(deadLetterQueues(aws), signal)
  const found = asked.length === 0 ? all : asked.flatMap((name) => named(all, name))
  const unique = [...new Map(found.map((queue) => [queue.name, queue])).values()]
  return unique.map((queue) => ({
    ...queue,
    letters: createDeadLetters({ queue: createSqsQueue({ aws, name: queue.name, visibilityTimeoutSeconds, clock }), clock, observe }),
  }))
}

/** By name or URL. Throws QUEUE_MISSING where it neither is a dead-letter queue nor has one. */
function named(all: readonly DeadLetterQueue[], nameOrUrl: string): readonly DeadLetterQueue[] {
  const name = queueNameOf(nameOrUrl)
  const found = deadLetterQueuesNamed(all, name)
  if (found.length > 0) return found
  const usual = deadLetterNameOf(name)
  throw new GatewayError(
    'QUEUE_MISSING',
    `--queue ${name} has no dead-letter queue: it has no RedrivePolicy and there is no queue ${usual}; weir dlq ls shows all`,
  )
}

async function list(flags: QueueFlags, signal: AbortSignal): Promise<void> {
  const queues = await withAws(flags, async (aws) =>
    Promise.all(
      (await open(aws, flags, signal)).map(async ({ name, letters }) => {
        const all = await letters.list(signal)
        return { queue: name, count: all.length, causes: toCauses(all) }
      }),
    ),
  )
  if (flags.json) return print(JSON.stringify({ queues }))
  const rows = queues.flatMap(({ queue, causes }) =>
    causes.map(({ cause, count, tenants, oldestAt, example }) => [
      cause,
      String(count),
      queue,
      formatDuration(clock.now() - oldestAt),
      Object.entries(tenants)
        .map(([tenant, own]) => `${tenant} ${own}`)
        .join(', '),
      example,
    ]),
  )
  print(rows.length === 0 ? 'no dead letters' : table([['cause', 'count', 'queue', 'oldest', 'tenants', 'example'], ...rows]))
}

async function show(id: string, flags: QueueFlags, signal: AbortSignal): Promise<void> {
  const found = await withAws(flags, async (aws) => {
    for (const { name, letters } of await open(aws, flags, signal)) {
      const letter = await letters.show(id, signal)
      if (letter) return { queue: name, ...toPrinted(letter) }
    }
    return undefined
  })
  if (!found) throw new GatewayError('DEAD_LETTER_MISSING', `no dead letter has an id or key that begins with ${id}`)
  print(JSON.stringify(found, null, flags.json ? undefined : 2))
}

function toPrinted({ item, ...letter }: DeadLetter) {
  return { ...letter, sentAt: new Date(letter.sentAt).toISOString(), attributes: item.attributes, payload: toValue(item.body) }
}

type QueueReport = ReplayReport & DeadLetterQueue

async function replay(flags: ReplayFlags, signal: AbortSignal): Promise<void> {
  const test = parseSelection(flags.where)
  if ('problem' in test) throw new GatewayError('CONFIG_INVALID', test.problem)
  const reports = await withAws(flags, async (aws) => {
    const results: QueueReport[] = []
    for (const { name, sources, letters } of await open(aws, flags, signal)) {
      if (signal.aborted) break
      const only = sources.length === 1 ? sources[0] : undefined
      const now = clock.now()
      const report = await letters.replay(
        {
          where: (letter) => test(letter, now),
          target({ source }) {
            const to = flags.to ?? source ?? only
            return to === undefined ? undefined : createSqsQueue({ aws, name: to, visibilityTimeoutSeconds, clock })
          },
          dryRun: flags.dryRun ?? false,
          perSecond: flags.rate ?? Infinity,
          force: flags.force ?? false,
        },
        signal,
      )
      results.push({ name, sources, ...report })
    }
    return results
  })
  const queues = reports.map(({ name, sources: _, ...report }) => ({ queue: name, ...report }))
  print(flags.json ? JSON.stringify({ queues }) : reports.map(replayText).join('\n') || 'no dead-letter queues')
  // What was sent is in the report; the exit code says that it is not all.
  signal.throwIfAborted()
}

function replayText({ name, sources, dryRun, seen, matched, ids, refused, homeless, stopped }: QueueReport): string {
  const known = sources.length > 1 ? `, one of ${sources.join(', ')}` : ''
  const notes = [
    refused > 0 ? `${refused} were replayed before and stay (--force)` : '',
    homeless > 0 ? `${homeless} stay, because the queue they died in is not known${known} (--to <queue>)` : '',
    stopped ? 'stopped before the end; the others are back in the dead-letter queue' : '',
  ].filter((note) => note !== '')
  const verb = dryRun ? 'would go back' : 'went back'
  return [`${name}: ${seen} letters, ${matched} selected, ${ids.length} ${verb}`, ...notes].join('; ')
}

function toCondition(text: string, before: readonly string[]): readonly string[] {
  const parsed = parseSelection([text])
  if ('problem' in parsed) throw new InvalidArgumentError(parsed.problem)
  return collect(text, before)
}

function print(text: string): void {
  process.stdout.write(`${printableText(text)}\n`)
}

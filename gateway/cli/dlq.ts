// `weir dlq`: dead letters by cause, one of them in full, and the way back.
import { Command, InvalidArgumentError, Option } from 'commander'
import { systemClock as clock } from '../../lib/clock.ts'
import { formatDuration } from '../../lib/units.ts'
import { type Aws, deadLetterNameOf } from '../aws.ts'
import { createDeadLetters, type DeadLetter, type DeadLetters, type ReplayReport, sourceNameOf, toCauses } from '../consume/dead-letters.ts'
import { toValue } from '../consume/handlers/record.ts'
import { parseSelection, selectionHelp } from '../consume/selection.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError } from '../errors.ts'
import { collect, toPerSecond } from './arguments.ts'
import { table } from './experiment.ts'
import { type AwsFlags, addAwsFlags, queueNames, withAws } from './reach.ts'

const examples = `
Examples:
  $ weir dlq ls                                        every dead-letter queue, by cause
  $ weir dlq show 5f0c                                 one letter and its payload, by the beginning of its id or key
  $ weir dlq replay --where cause=HANDLER_REFUSED --dry-run
  $ weir dlq replay --where tenant=acme --where 'age<1h' --rate 20/s

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
  add('ls', 'dead letters grouped by cause').action(list)
  add('show', 'one letter and its payload').argument('<id>', 'id or key, or the beginning of one').action(show)
  add('replay', 'send letters back to their queue')
    .addOption(new Option('--where <condition>', 'which ones; may be repeated').argParser(toCondition).default([], 'all'))
    .option('--dry-run', 'only say what would be sent')
    .option('--rate <rate>', 'letters a second, such as 20/s (default: as fast as it goes)', toPerSecond)
    .option('--force', 'also letters that were replayed before')
    .action(replay)
  return command
}

interface Opened {
  readonly name: string
  readonly letters: DeadLetters
}

async function open(aws: Aws, { queue }: QueueFlags): Promise<readonly Opened[]> {
  const isDead = (name: string) => sourceNameOf(name) !== undefined
  const names =
    queue.length > 0 ? queue.map((name) => (isDead(name) ? name : deadLetterNameOf(name))) : (await queueNames(aws)).filter(isDead)
  return names.map((name) => ({
    name,
    letters: createDeadLetters({ queue: createSqsQueue({ aws, name, visibilityTimeoutSeconds, clock }), clock, observe }),
  }))
}

async function list(flags: QueueFlags): Promise<void> {
  const { signal } = new AbortController()
  const queues = await withAws(flags, async (aws) =>
    Promise.all(
      (await open(aws, flags)).map(async ({ name, letters }) => {
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

async function show(id: string, flags: QueueFlags): Promise<void> {
  const { signal } = new AbortController()
  const found = await withAws(flags, async (aws) => {
    for (const { name, letters } of await open(aws, flags)) {
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

async function replay(flags: ReplayFlags): Promise<void> {
  const test = parseSelection(flags.where)
  if ('problem' in test) throw new GatewayError('CONFIG_INVALID', test.problem)
  const signal = interrupted()
  const reports = await withAws(flags, async (aws) => {
    const results: (ReplayReport & { readonly queue: string })[] = []
    for (const { name, letters } of await open(aws, flags)) {
      const home = sourceNameOf(name)
      const now = clock.now()
      const report = await letters.replay(
        {
          where: (letter) => test(letter, now),
          target({ source = home }) {
            return source === undefined ? undefined : createSqsQueue({ aws, name: source, visibilityTimeoutSeconds, clock })
          },
          dryRun: flags.dryRun ?? false,
          perSecond: flags.rate ?? Infinity,
          force: flags.force ?? false,
        },
        signal,
      )
      results.push({ queue: name, ...report })
    }
    return results
  })
  print(flags.json ? JSON.stringify({ queues: reports }) : reports.map(replayText).join('\n') || 'no dead-letter queues')
}

function replayText({ queue, dryRun, seen, matched, ids, refused, homeless }: ReplayReport & { readonly queue: string }): string {
  const notes = [
    refused > 0 ? `${refused} were replayed before and stay (--force)` : '',
    homeless > 0 ? `of ${homeless} it is not known where they came from` : '',
  ].filter((note) => note !== '')
  const verb = dryRun ? 'would go back' : 'went back'
  return [`${queue}: ${seen} letters, ${matched} selected, ${ids.length} ${verb}`, ...notes].join('; ')
}

function toCondition(text: string, before: readonly string[]): readonly string[] {
  const parsed = parseSelection([text])
  if ('problem' in parsed) throw new InvalidArgumentError(parsed.problem)
  return collect(text, before)
}

/** Aborts at the first Ctrl-C, so that what is in hand is given back. */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () =>
    controller.abort(new GatewayError('STOPPING', 'interrupted: what was not sent is back in the dead-letter queue')),
  )
  return controller.signal
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

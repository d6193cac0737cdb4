// `weir backlog`: how far behind each queue is, and when it will be level again.
import { Command, Option } from 'commander'
import { systemClock as clock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import { formatDuration } from '../../lib/units.ts'
import { type BacklogReport, createBacklog } from '../consume/backlog.ts'
import type { QueueDepth } from '../consume/queue.ts'
import { queueNames } from '../consume/redrive.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError } from '../errors.ts'
import { collect, toMs, toUrl } from './arguments.ts'
import { table } from './experiment.ts'
import { type AwsFlags, addAwsFlags, askAdmin, ofQueues, withAws } from './reach.ts'

const examples = `
Examples:
  $ weir backlog                              every queue at the embedded SQS of \`weir up\`
  $ weir backlog --queue telemetry --for 10s  a steadier rate
  $ weir backlog --admin http://127.0.0.1:8080 what the running gateway knows, with its consumers' rates

SQS tells depths only: seen from outside, one of in and out is the change over the time of --for, and the other 0. A
consumer that is asked through --admin knows its own rates and the age of the oldest message.`

interface Flags extends AwsFlags {
  readonly queue: readonly string[]
  readonly for: number
  readonly admin?: string
  readonly json?: true
}

export function backlogCommand(): Command {
  return addAwsFlags(new Command('backlog').description('how far behind each queue is, and when it will be level again'))
    .addOption(new Option('--queue <name>', 'only this one; may be repeated').argParser(collect).default([], 'all'))
    .addOption(new Option('--for <duration>', 'how long to watch for a rate').argParser(toMs).default(3_000, '3s'))
    .option('--admin <url>', 'ask a running gateway instead', toUrl)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(async (flags: Flags) => {
      const reports = flags.admin === undefined ? await watchSqs(flags) : await askGateway(flags.admin, flags)
      process.stdout.write(`${printableText(flags.json ? JSON.stringify({ queues: reports }) : backlogText(reports))}\n`)
    })
}

async function watchSqs(flags: Flags): Promise<readonly BacklogReport[]> {
  return withAws(flags, async (aws) => {
    const names = flags.queue.length > 0 ? flags.queue : await queueNames(aws)
    const backlogs = names.map((name) =>
      createBacklog({ queue: createSqsQueue({ aws, name, visibilityTimeoutSeconds: 30, clock }), clock }),
    )
    await Promise.all(backlogs.map((backlog) => backlog.sample()))
    await clock.sleep(flags.for)
    await Promise.all(backlogs.map((backlog) => backlog.sample()))
    return backlogs.map((backlog) => backlog.report())
  })
}

type Row = Partial<BacklogReport & QueueDepth> & { readonly name?: string }

/** Asked twice, for a rate. Where the gateway tells depths only, the rates are reckoned here. */
async function askGateway(admin: string, flags: Flags): Promise<readonly BacklogReport[]> {
  const ask = async () => {
    const rows = await askAdmin(admin, '/api/queues')
    if (!Array.isArray(rows)) throw new GatewayError('ADMIN_UNREACHABLE', `${admin}/api/queues is not a list of queues`)
    const named = (rows as readonly Row[]).map((row) => ({ ...row, queue: row.queue ?? row.name ?? '' }))
    return ofQueues(named, flags.queue, (name) => `queue ${name} does not exist`)
  }
  let rows = await ask()
  const reckoned = rows.every(({ outlook }) => outlook !== undefined)
  const backlogs = rows.map(({ queue: name }) =>
    createBacklog({
      clock,
      queue: {
        name,
        async depth() {
          const { waiting = 0, inFlight = 0 } = rows.find(({ queue }) => queue === name) ?? {}
          return { waiting, inFlight }
        },
      },
    }),
  )
  for (const backlog of backlogs) await backlog.sample()
  await clock.sleep(flags.for)
  rows = await ask()
  if (reckoned) return rows as readonly BacklogReport[]
  for (const backlog of backlogs) await backlog.sample()
  return backlogs.map((backlog) => backlog.report())
}

export function backlogText(reports: readonly BacklogReport[]): string {
  if (reports.length === 0) return 'no queues'
  return table([
    ['queue', 'waiting', 'in flight', 'oldest', 'in', 'out', 'outlook'],
    ...reports.map(({ queue, waiting, inFlight, oldestMs, arrivalsPerSecond, servedPerSecond, outlook }) => [
      queue,
      String(waiting),
      String(inFlight),
      oldestMs === undefined ? '–' : formatDuration(oldestMs),
      `${arrivalsPerSecond}/s`,
      `${servedPerSecond}/s`,
      outlook,
    ]),
  ])
}

// `weir tenants`: what each tenant asks for, gets and waits in a running gateway.
import { Command, Option } from 'commander'
import { printableText } from '../../lib/printable.ts'
import type { TenantStats } from '../consume/tenants.ts'
import { GatewayError } from '../errors.ts'
import { collect, toCount, toUrl } from './arguments.ts'
import { table } from './experiment.ts'
import { askAdmin, ofQueues } from './reach.ts'

const examples = `
Examples:
  $ weir tenants
  $ weir tenants --queue telemetry --json
  $ weir tenants --admin http://127.0.0.1:9090

Dwell is the time from sent to handled. A tenant is noisy when it asks for far more than its share. On a FIFO queue, a
message group counts as a tenant of its own unless its messages name one.`

export interface QueueTenants {
  readonly queue: string
  readonly tenants: readonly TenantStats[]
}

interface Flags {
  readonly admin: string
  readonly queue: readonly string[]
  readonly top: number
  readonly json?: true
}

export function tenantsCommand(): Command {
  return new Command('tenants')
    .description('dwell time and share of each tenant in a running gateway')
    .option('--admin <url>', 'admin address of the gateway', toUrl, 'http://127.0.0.1:8080')
    .addOption(new Option('--queue <name>', 'only this one; may be repeated').argParser(collect).default([], 'all'))
    .option('--top <n>', 'how many of each queue, those with the largest share first', toCount, 20)
    .option('--json', 'print one JSON document, with all of them')
    .addHelpText('after', examples)
    .action(async ({ admin, queue: only, top, json }: Flags) => {
      const answer = await askAdmin(admin, '/api/tenants')
      if (!Array.isArray(answer)) throw new GatewayError('ADMIN_UNREACHABLE', `${admin}/api/tenants is not a list of queues`)
      const queues = ofQueues(answer as readonly QueueTenants[], only, (name) => `queue ${name} has no consumer in the gateway at ${admin}`)
      process.stdout.write(`${printableText(json ? JSON.stringify({ queues }) : tenantsText(queues, top))}\n`)
    })
}

export function tenantsText(queues: readonly QueueTenants[], top = Infinity): string {
  const rows = queues.flatMap(({ queue, tenants }) =>
    tenants
      .slice(0, top)
      .map(({ tenant, share, received, handled, waiting, inFlight, dwellMs, noisy }) => [
        tenant,
        queue,
        `${(share * 100).toFixed(1)} %`,
        String(received),
        String(handled),
        String(waiting),
        String(inFlight),
        `${dwellMs.p50} ms`,
        `${dwellMs.p95} ms`,
        `${dwellMs.p99} ms`,
        noisy ? 'noisy' : '',
      ]),
  )
  const header = ['tenant', 'queue', 'share', 'received', 'handled', 'waiting', 'running', 'p50', 'p95', 'p99', '']
  if (rows.length === 0) return 'no tenants yet'
  const more = queues.filter(({ tenants }) => tenants.length > top).map(({ queue, tenants }) => `${queue}: ${tenants.length - top} more`)
  return [table([header, ...rows]), ...more].join('\n')
}

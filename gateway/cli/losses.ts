// `weir losses`: acknowledged messages that the disk of a running gateway lost, and the confirmation that a person knows.
import { Command } from 'commander'
import * as z from 'zod'
import { GatewayError } from '../errors.ts'
import { toUrl } from './arguments.ts'
import { askAdmin } from './reach.ts'

const examples = `
Examples:
  $ weir losses
  $ weir losses --confirm
  $ weir losses --json --admin http://127.0.0.1:9090

A gateway with a loss that nobody has confirmed is degraded: MESSAGES_LOST. Restore the files named and restart, and their messages are
delivered; or confirm. The number stays in the ledger.`

const lossesSchema = z.array(
  z.object({
    ...{ place: z.string(), since: z.string(), count: z.number(), exact: z.boolean(), detail: z.string() },
    confirmedAt: z.string().optional(),
  }),
)
const confirmedSchema = z.object({ confirmed: z.number() })

type Losses = z.infer<typeof lossesSchema>

interface Flags {
  readonly admin: string
  readonly confirm?: true
  readonly json?: true
}

export function lossesCommand(): Command {
  return new Command('losses')
    .description('acknowledged messages that the disk of a running gateway lost')
    .option('--admin <url>', 'admin address of the gateway', toUrl, 'http://127.0.0.1:8080')
    .option('--confirm', 'mark every loss as known: the gateway is no longer degraded because of it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(async ({ admin, confirm, json }: Flags) => {
      const confirmed = confirm ? parse(confirmedSchema, await askAdmin(admin, '/api/losses/confirm', 'POST'), admin).confirmed : undefined
      const losses = parse(lossesSchema, await askAdmin(admin, '/api/losses'), admin)
      process.stdout.write(`${json ? JSON.stringify({ losses, ...(confirm && { confirmed }) }) : lossesText(losses, confirmed)}\n`)
    })
}

function parse<T>(schema: z.ZodType<T>, answer: unknown, admin: string): T {
  const { success, data } = schema.safeParse(answer)
  if (success) return data
  throw new GatewayError('ADMIN_UNREACHABLE', `${admin} answered with something else than losses`)
}

export function lossesText(losses: Losses, confirmed?: number): string {
  const lines = losses.map(({ detail, confirmedAt }) => `${detail} (${confirmedAt ? `confirmed at ${confirmedAt}` : 'not confirmed'})`)
  if (confirmed !== undefined) lines.push(`${confirmed} ${confirmed === 1 ? 'loss' : 'losses'} confirmed`)
  return lines.length === 0 ? 'no message was lost' : lines.join('\n')
}

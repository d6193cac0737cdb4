// `weir certs mint`: certificates for a fleet and its gateway, without an account or a tool.
import { Command } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import { mintCertificates } from '../certs.ts'
import { createDevices } from '../device.ts'
import { FleetError } from '../errors.ts'
import { parseScenario, readScenario } from '../scenario.ts'
import { withFlags } from './fleet.ts'

interface Flags {
  readonly devices?: string
  readonly firstDevice?: string
  readonly prefix?: string
  readonly out: string
  readonly days: string
  readonly host: readonly string[]
  readonly region: string
  readonly account: string
  readonly product: string
  readonly json?: boolean
}

/** A hundred years. */
const maxDays = 36_500

const examples = `
Examples:
  weir certs mint --devices 1000 --out certs
  weir certs mint examples/fleet/mixed.json --out certs
  weir fleet --protocol mqtts --certs certs

Keys are written so that only you can read them. Keep ca.key off any machine that matters: this authority is for tests.`

export function certsCommand(): Command {
  const onWrongUsage = (error: { readonly exitCode: number }) => process.exit(error.exitCode === 0 ? 0 : 2)
  const mint = new Command('mint')
    .description('Write a local CA, a server certificate, and a certificate for each device.')
    .argument('[scenario]', 'the scenario whose devices get certificates; without one, freezers')
    .option('--devices <n>', 'how many devices')
    .option('--first-device <n>', 'number of the first device, as for `weir fleet`')
    .option('--prefix <text>', 'put in front of the name of each device, as for `weir fleet`')
    .requiredOption('--out <dir>', 'where to write')
    .option('--days <n>', 'how long certificates are valid', '365')
    .option('--host <name>', 'name or address of the gateway; may be repeated', (text, all: string[] = []) => [...all, text])
    .option('--region <region>', 'AWS region in the policy', 'us-east-1')
    .option('--account <id>', 'AWS account in the policy: what the gateway has as aws.accountId', '000000000000')
    .option('--product <name>', 'level of the topics after dt/ and cmd/', 'coldchain')
    .option('--json', 'print the list as one JSON document')
    .addHelpText('after', examples)
    .exitOverride(onWrongUsage)
    .action(mintForScenario)
  return new Command('certs').description('Certificates for devices.').exitOverride(onWrongUsage).addCommand(mint)
}

async function mintForScenario(
  file: string | undefined,
  { devices, firstDevice, prefix, out, days, host, json, ...policy }: Flags,
): Promise<void> {
  try {
    if (!/^\d{1,5}$/.test(days) || Number(days) < 1 || Number(days) > maxDays)
      throw new FleetError(`--days is "${days}"; expected a whole number from 1 to ${maxDays}`, 2)
    const fleet = {
      ...(devices !== undefined && { devices }),
      ...(firstDevice !== undefined && { firstDevice }),
      ...(prefix !== undefined && { prefix }),
    }
    const scenario = parseScenario(withFlags(file ? await readScenario(file) : {}, fleet), file)
    const hosts = host ?? ['localhost', '127.0.0.1', '::1']
    const things = await mintCertificates(createDevices(scenario, 0, 0), {
      ...policy,
      out,
      hosts,
      days: Number(days),
      now: systemClock.now(),
    })
    process.stdout.write(
      json
        ? `${JSON.stringify(things)}\n`
        : `${things.length} device certificates in ${out}, with ca.pem, server.pem, policy.json and things.json\n`,
    )
  } catch (error) {
    if (!(error instanceof FleetError)) throw error
    process.stderr.write(`${printableText(error.message)}\n`)
    process.exitCode = error.exitCode
  }
}

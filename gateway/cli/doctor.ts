// `weir doctor`: rules, policies, queues, configuration and quotas held against what AWS accepts, without an account.
import { Command, Option } from 'commander'
import { readDeployed } from '../doctor/deployed.ts'
import { type Estate, readEstate } from '../doctor/estate.ts'
import { countsOf, examine } from '../doctor/index.ts'
import type { Deployed } from '../doctor/queues.ts'
import { findingsText } from '../doctor/report.ts'
import { type Load, ordinaryLoad } from '../plan/quotas.ts'
import { toCount, toMs, toUrl, toWhole } from './arguments.ts'
import { reachAws } from './reach.ts'

const examples = `
Examples:
  $ weir doctor                                       the rules that come with weir
  $ weir doctor --rules rules --resources resources.json --policies policies
  $ weir doctor --config gateway.json --json
  $ weir doctor --devices 80000 --interval 3s         does this fleet fit the quotas of an account
  $ weir doctor --template cdk.out/Weir.template.json the synthesized stack as well
  $ weir doctor --deployed --region eu-west-1         and what is at AWS now

Without --resources, the file resources.json next to the rules is taken; without --policies, the folder policies there.
Exit code 1: there are errors; 0: none, whatever else was found; 2: wrong usage. Every finding is explained in docs/doctor.md.`

interface Flags {
  readonly rules?: string
  readonly policies?: string
  readonly resources?: string
  readonly config?: string
  readonly template?: string
  readonly devices?: number
  readonly interval: number
  readonly payload: number
  readonly subscriptions: number
  readonly keepAlive: number
  readonly regionSize: 'large' | 'small'
  readonly deployed?: true
  readonly region: string
  readonly awsEndpoint: string
  readonly iotEndpoint?: string
  readonly json?: true
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('rules, policies, queues, configuration and quotas, held against what AWS accepts')
    .option('--rules <dir>', "directory of rule files (default: the config's, or the cold chain demo)")
    .option('--policies <dir>', 'directory of AWS IoT policy documents')
    .option('--resources <file>', 'queues and topics')
    .option('--config <file>', 'configuration of the gateway')
    .option('--template <file>', 'a synthesized CloudFormation template')
    .option('--devices <n>', 'devices of a fleet, to hold against the quotas', toCount)
    .addOption(new Option('--interval <duration>', 'between two readings of one device').argParser(toMs).default(60_000, '1m'))
    .option('--payload <bytes>', 'bytes of one reading', toCount, ordinaryLoad.payloadBytes)
    .option('--subscriptions <n>', 'topic filters of one device', toWhole, ordinaryLoad.subscriptions)
    .option('--keep-alive <seconds>', 'keep-alive the devices ask for', toWhole, ordinaryLoad.keepAliveSeconds)
    .addOption(new Option('--region-size <size>', 'smaller Regions have smaller quotas').choices(['large', 'small']).default('large'))
    .option('--deployed', 'compare with what is at AWS, with the credentials of the environment; nothing is changed')
    .option('--region <region>', 'of --deployed', 'us-east-1')
    .addOption(new Option('--aws-endpoint <where>', 'SQS and SNS of --deployed: a URL, or `aws`').argParser(toEndpoint).default('aws'))
    .option(
      '--iot-endpoint <url>',
      'control plane of AWS IoT for --deployed (default: the one of the Region; none with an --aws-endpoint)',
      toUrl,
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const { json, rules, policies, resources, config, template, regionSize: region } = flags
  const fleet = fleetOf(flags)
  const named = { rules, policies, resources, config, template, fleet }
  const files = await readEstate({ ...given(named), region })
  const estate = flags.deployed ? { ...files, deployed: await askAws(files, flags) } : files
  const findings = examine(estate)
  const counts = countsOf(findings)
  const text = json
    ? JSON.stringify({ ok: counts.errors === 0, ...counts, findings, notCompared: notCompared(estate) })
    : findingsText({ findings, looked: lookedAt(estate) }, process.stdout.isTTY)
  process.stdout.write(`${text}\n`)
  if (!json) for (const what of notCompared(estate)) process.stdout.write(`Not compared with AWS: ${what}.\n`)
  if (counts.errors > 0) process.exitCode = 1
}

const toEndpoint = (text: string) => (text === 'aws' ? text : toUrl(text))

async function askAws(estate: Estate, { region, awsEndpoint, iotEndpoint }: Flags): Promise<Deployed> {
  const isAws = awsEndpoint === 'aws'
  const control = iotEndpoint ?? (isAws ? `https://iot.${region}.amazonaws.com` : undefined)
  const aws = reachAws({ awsEndpoint, region, accountId: '000000000000' })
  try {
    const where = isAws ? `AWS ${region}` : awsEndpoint
    return await readDeployed(estate, { aws, region, where, ...(control !== undefined && { iotEndpoint: control }) })
  } finally {
    aws.stop()
  }
}

/** What a comparison leaves out, said plainly. */
function notCompared({ deployed }: Estate): readonly string[] {
  if (!deployed) return []
  const always = ['actions of rules, roles, policies, things and functions']
  return deployed.rules ? always : ['rules, as no control plane of AWS IoT was named', ...always]
}

/** How many rules look at one message is not known: at least one of those there are. */
function fleetOf({ devices, interval, payload, subscriptions, keepAlive }: Flags): Load | undefined {
  if (devices === undefined) return undefined
  return { ...ordinaryLoad, devices, intervalMs: interval, payloadBytes: payload, subscriptions, keepAliveSeconds: keepAlive }
}

function lookedAt({ rules, problems, policies, queues, templateQueues, topics, config, fleet }: Estate): string {
  const many = (count: number, one: string, several = `${one}s`) => (count === 0 ? [] : [`${count} ${count === 1 ? one : several}`])
  const ruleFiles = new Set(
    [...rules, ...problems.filter(({ kind }) => kind === 'rule' || kind === 'sql')].map((rule) => ('path' in rule ? rule.path : rule.file)),
  )
  return (
    [
      ...many(ruleFiles.size, 'rule'),
      ...many(policies.length, 'policy', 'policies'),
      ...many(queues.length + templateQueues.length, 'queue'),
      ...many(topics.length, 'topic'),
      ...(config ? ['the configuration'] : []),
      ...(fleet ? [`a fleet of ${fleet.devices.toLocaleString('en-US')}`] : []),
    ].join(', ') || 'nothing that could be read'
  )
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>
}

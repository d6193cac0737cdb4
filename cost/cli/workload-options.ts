// The flags that describe a workload: one table for every subcommand that asks about one.
import { type Command, Option } from 'commander'
import { parseDuration } from '../../lib/units.ts'
import { CostError, suggest } from '../errors.ts'
import { type Path, type PathName, pathNames, paths } from '../paths.ts'
import type { Allowances } from '../price.ts'
import type { WireProtocol } from '../wire.ts'
import { parseWorkload, type Workload } from '../workload.ts'

type Read = (text: string, flag: string) => unknown

interface Flag {
  readonly flags: string
  readonly field: keyof Workload
  readonly help: string
  readonly read: Read
  readonly choices?: readonly string[]
}

const number: Read = (text, flag) => {
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  throw new CostError(`${flag} is "${text}"; expected a number`)
}
const duration: Read = (text, flag) => {
  const ms = parseDuration(text.replace(/^-/, ''))
  if (ms !== undefined) return text.startsWith('-') ? -ms : ms
  throw new CostError(`${flag} is "${text}"; expected a duration such as 10s, 5m or 1h`)
}
const text: Read = (value) => value
const topicBytes: Read = (topic, flag) => {
  if (topic === '') throw new CostError(`${flag} is empty; expected a topic`)
  return Buffer.byteLength(topic)
}

const table: readonly Flag[] = [
  { flags: '--region <region>', field: 'region', help: 'AWS region', read: text },
  { flags: '--devices <n>', field: 'devices', help: 'devices, all connected all month', read: number },
  { flags: '--interval <duration>', field: 'intervalMs', help: 'time between two readings of one device', read: duration },
  { flags: '--payload <bytes>', field: 'payloadBytes', help: 'bytes of one reading', read: number },
  { flags: '--topic <topic>', field: 'topicBytes', help: 'a topic, counted in bytes', read: topicBytes },
  { flags: '--qos <qos>', field: 'qos', help: '0 or 1', read: number },
  { flags: '--pack <n>', field: 'readingsPerMessage', help: 'readings in one message', read: number },
  { flags: '--days <n>', field: 'days', help: 'days of the month', read: number },
  { flags: '--keep-alive <duration>', field: 'keepAliveMs', help: 'between two pings of a silent device', read: duration },
  { flags: '--sessions-per-day <n>', field: 'sessionsPerDeviceDay', help: 'connections an always-on device opens in a day', read: number },
  { flags: '--queue <type>', field: 'queue', help: 'the SQS queue at the end', read: text, choices: ['standard', 'fifo', 'fair', 'none'] },
  { flags: '--sends <how>', field: 'sends', help: 'how a gateway of ours sends', read: text, choices: ['single', 'batched', 'packed'] },
  { flags: '--messages-per-call <n>', field: 'messagesPerCall', help: 'in a batched call to SQS, 10 at most', read: number },
  { flags: '--pollers <n>', field: 'pollers', help: 'idle consumers in a long poll', read: number },
  { flags: '--requests-per-connection <n>', field: 'requestsPerConnection', help: 'HTTPS requests on one connection', read: number },
  { flags: '--lambda-memory <MB>', field: 'lambdaMemoryMB', help: 'memory of the function', read: number },
  { flags: '--lambda-duration <duration>', field: 'lambdaDurationMs', help: 'duration of a call', read: duration },
  { flags: '--instance <type>', field: 'instanceType', help: 'EC2 instance of a node', read: text },
  { flags: '--connections-per-node <n>', field: 'connectionsPerNode', help: 'of our own servers', read: number },
  { flags: '--messages-per-second-per-node <n>', field: 'messagesPerSecondPerNode', help: 'of our own servers', read: number },
  { flags: '--spare-nodes <n>', field: 'spareNodes', help: 'nodes beyond those that the load needs', read: number },
  { flags: '--labour <USD>', field: 'labourUsd', help: 'work on our own servers, dollars a month', read: number },
]

const protocols = { mqtt: 'mqtts', 'mqtt-ws': 'mqtt-wss', https: 'https', websocket: 'wss' } as const satisfies Record<string, WireProtocol>

interface OtherFlags {
  readonly protocol?: keyof typeof protocols
  readonly path?: readonly string[]
  readonly rule: boolean
  readonly dataOut: boolean
  readonly webSocketAcks?: boolean
  readonly topicBytes?: string
  readonly freeTier?: boolean
}

export type WorkloadFlags = Readonly<Record<string, string | undefined>> & OtherFlags

export function withWorkloadOptions(command: Command): Command {
  for (const { flags, help, choices } of table)
    command.addOption(choices ? new Option(flags, help).choices(choices) : new Option(flags, help))
  return command
    .option('--topic-bytes <n>', 'bytes of the topic, instead of --topic')
    .option('--no-rule', 'no IoT Core rule: messages end at the broker')
    .option('--no-data-out', 'leave data transfer out to the internet aside')
    .option('--web-socket-acks', 'a WebSocket API acknowledges each message (default: with QoS 1)')
    .option('--no-web-socket-acks', 'a WebSocket API does not acknowledge')
    .option('--free-tier', 'subtract the free allowances')
}

export function withPathOptions(command: Command): Command {
  return command
    .addOption(new Option('--protocol <name>', 'only paths that devices reach with it').choices(Object.keys(protocols)))
    .addOption(
      new Option('--path <name>', 'only this path; may be repeated')
        .argParser((name, all: readonly string[] = []) => [...all, name])
        .conflicts('protocol'),
    )
}

/** Throws a CostError that names the flag. */
/** `base`: what holds where no flag says otherwise. */
export function readWorkload(flags: WorkloadFlags, base: Partial<Workload> = {}): Workload {
  const given = table.flatMap(({ flags: pattern, field, read }) => {
    const value = flags[camelCase(flagName(pattern))]
    return value === undefined ? [] : [[field, read(value, flagName(pattern))] as const]
  })
  const others = {
    ...(flags.topicBytes !== undefined && { topicBytes: number(flags.topicBytes, '--topic-bytes') }),
    ...(!flags.rule && { rule: false }),
    ...(!flags.dataOut && { dataOut: false }),
    ...(flags.webSocketAcks !== undefined && { webSocketAcks: flags.webSocketAcks }),
  }
  return parseWorkload({ ...base, ...Object.fromEntries(given), ...others }, flagOf)
}

export function readAllowances({ freeTier }: WorkloadFlags): Allowances {
  return freeTier ? 'all' : 'none'
}

/** Undefined: nobody chose, so all of them. */
export function readPaths({ path, protocol }: WorkloadFlags): readonly PathName[] | undefined {
  if (path) return path.map(readPath)
  return protocol && pathNames.filter((name) => (paths[name] as Path).protocol === protocols[protocol])
}

export function readPath(name: string): PathName {
  if (Object.hasOwn(paths, name)) return name as PathName
  throw new CostError(`"${name}" is not a path; ${suggest(name, pathNames)}`)
}

/** `intervalMs` → `--interval`. */
function flagOf(field: string): string {
  if (field === 'topicBytes') return '--topic'
  return flagName(table.find((flag) => flag.field === field)?.flags ?? field)
}

const flagName = (pattern: string) => pattern.split(' ')[0]!
const camelCase = (flag: string) => flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

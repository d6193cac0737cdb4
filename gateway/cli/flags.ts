// The flags that `weir gateway` and `weir up` share, and how they override the config file.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../../lib/units.ts'
import type { GatewayConfigInput } from '../config.ts'
import type { Port } from '../listen/door.ts'

export interface GatewayFlags {
  readonly host?: string
  readonly mqttPort?: Port
  readonly mqttsPort?: Port
  readonly mqttWsPort?: Port
  readonly mqttWssPort?: Port
  readonly httpPort?: Port
  readonly httpsPort?: Port
  readonly websocketPort?: Port
  readonly websocketsPort?: Port
  readonly certs?: string
  readonly adminPort?: Port
  readonly awsEndpoint?: string
  readonly awsPort?: number
  readonly dataDir?: string
  readonly rules?: string
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export function addGatewayFlags(command: Command): Command {
  return command
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--mqtt-port <port>', 'MQTT (default: 1883; 0 = any free, off = none)', toPort)
    .option('--mqtts-port <port>', 'MQTT over TLS (default: 8883 with --certs, else off)', toPort)
    .option('--mqtt-ws-port <port>', 'MQTT over WebSocket, path /mqtt (default: 8083)', toPort)
    .option('--mqtt-wss-port <port>', 'the same over TLS (default: 8084 with --certs, else off)', toPort)
    .option('--http-port <port>', 'HTTP, POST /topics/<topic>?qos= (default: 8081)', toPort)
    .option('--https-port <port>', 'the same over TLS (default: 8443 with --certs, else off)', toPort)
    .option('--websocket-port <port>', 'WebSocket, JSON frames (default: 8082)', toPort)
    .option('--websockets-port <port>', 'the same over TLS (default: off)', toPort)
    .option('--certs <dir>', 'a folder that `weir certs mint` wrote: opens the TLS doors to the devices in it')
    .option('--admin-port <port>', 'admin HTTP: health, metrics, ledger (default: 8080)', toPort)
    .option('--aws-endpoint <where>', 'SQS and SNS: embedded, aws, or a URL (default: embedded)')
    .option('--aws-port <port>', 'port of the embedded SQS and SNS (default: 4566; 0 = any free)', toPortNumber)
    .option('--data-dir <dir>', 'spool, log and persisted queues (default: .weir)')
    .option('--rules <dir>', 'directory of rule files (default: the cold chain demo)')
    .addOption(new Option('--log-level <level>', 'least important level written').choices(['debug', 'info', 'warn', 'error', 'silent']))
}

/** The config file's values with the flags on top. */
export function withFlags(file: GatewayConfigInput, flags: GatewayFlags): GatewayConfigInput {
  const { host, certs, awsEndpoint, awsPort, dataDir, rules, logLevel } = flags
  const ports = {
    ...{ mqtt: flags.mqttPort, mqtts: flags.mqttsPort, mqttWs: flags.mqttWsPort, mqttWss: flags.mqttWssPort },
    ...{ http: flags.httpPort, https: flags.httpsPort, websocket: flags.websocketPort, websockets: flags.websocketsPort },
    admin: flags.adminPort,
  }
  return {
    ...file,
    ...given({ host, dataDir, certs }),
    listen: { ...file.listen, ...given(ports) },
    aws: { ...file.aws, ...given({ endpoint: awsEndpoint }) },
    local: { ...file.local, ...given({ port: awsPort }) },
    rules: { ...file.rules, ...given({ dir: rules }) },
    log: { ...file.log, ...given({ level: logLevel }) },
  }
}

export function toDuration(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('write a duration such as 500ms, 10s or 5m')
  return ms
}

function toPort(text: string): Port {
  return text === 'off' ? 'off' : toPortNumber(text)
}

function toPortNumber(text: string): number {
  const port = Number(text)
  if (text.trim() === '' || !Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('a port is 0 to 65535')
  return port
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>
}

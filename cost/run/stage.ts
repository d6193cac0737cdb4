// What a run needs around it: certificates, queues, a meter in front of them, and a gateway with every TLS door open.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mintCertificates } from '../../device-sim/certs.ts'
import { createDevices } from '../../device-sim/device.ts'
import type { Scenario } from '../../device-sim/scenario.ts'
import { type GatewayConfigInput, parseConfig } from '../../gateway/config.ts'
import { type Gateway, startGateway } from '../../gateway/gateway.ts'
import type { Clock } from '../../lib/clock.ts'
import { type AwsMeter, startAwsMeter } from './aws-meter.ts'

export interface Stage extends AsyncDisposable {
  readonly certs: string
  readonly gateway: Gateway
  readonly aws: AwsMeter
}

/** The queue whose messages are taken and removed, as a consumer would. */
export const consumed = 'telemetry'

const closed = { mqtt: 'off', mqttWs: 'off', http: 'off', websocket: 'off', admin: 'off' } as const
const open = { mqtts: 0, mqttWss: 0, https: 0, websockets: 0 } as const

export async function setStage(scenario: Scenario, clock: Clock, signal: AbortSignal): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-cost-run-'))
  const stops: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })]
  const stop = async () => {
    for (const each of stops.splice(0)) await each()
  }
  try {
    const certs = join(dir, 'certs')
    const account = { region: 'us-east-1', account: '000000000000', product: 'coldchain' }
    await mintCertificates(createDevices(scenario, scenario.seed ?? 0, 0), {
      ...{ out: certs, now: clock.now(), days: 2, hosts: ['localhost', '127.0.0.1'] },
      ...account,
    })
    signal.throwIfAborted()
    const start = async (name: string, config: GatewayConfigInput) => {
      const gateway = await startGateway({
        config: parseConfig({ ...config, dataDir: join(dir, name), log: { level: 'silent' } }),
        handlers: { [consumed]: async () => {} },
        signal,
      })
      stops.unshift(() => gateway.stop())
      return gateway
    }
    // Queues of a gateway without doors: so that the meter stands between the other one and them.
    const queues = await start('queues', { listen: closed, local: { port: 0 } })
    const aws = await startAwsMeter(queues.ports.aws!)
    stops.unshift(() => aws.stop())
    const gateway = await start('gateway', {
      listen: { ...closed, ...open },
      certs,
      aws: { endpoint: aws.endpoint },
      // Devices that connect for each message do so faster here than in a fleet, to be done in time.
      access: { limits: { connectsPerClientPerSecond: 'off' } },
      consumers: [{ queue: consumed, handler: { kind: 'log' } }],
    })
    return { certs, gateway, aws, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

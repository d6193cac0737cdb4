// What `weir up` runs instead of the demo: a CloudFormation template, with certificates for a fleet under its IoT policies.
import { join } from 'node:path'
import { mintCertificates } from '../device-sim/certs.ts'
import { createDevices } from '../device-sim/device.ts'
import type { Scenario } from '../device-sim/scenario.ts'
import { type LoadedTemplate, loadTemplate, templateText } from '../gateway/cli/template.ts'
import type { GatewayConfig, GatewayConfigInput, Resources } from '../gateway/config.ts'
import { systemClock as clock } from '../lib/clock.ts'

export interface OpenTemplate {
  readonly config: GatewayConfigInput
  /** Queues, and the topics that rules publish to. */
  readonly reached: Resources
  /** A folder as `weir certs mint` writes it, where the template has policies. */
  readonly certs?: string
  /** Everything in the template, by what becomes of it. */
  readonly text: string
}

export interface OpenOptions {
  /** What the flags alone say: where things are. */
  readonly given: GatewayConfig
  readonly scenario: Scenario
  readonly strict: boolean
}

/** Rejects with CONFIG_INVALID for what is no template, with TEMPLATE_UNSUPPORTED where `strict` says so. */
export async function openTemplate(file: string, { given, scenario, strict }: OpenOptions): Promise<OpenTemplate> {
  const { dataDir, aws } = given
  const loaded = loadTemplate(file, { dataDir, region: aws.region, accountId: aws.accountId, strict })
  const certs = await certify(loaded, scenario, given)
  const consumers = loaded.consumed.map((queue) => {
    const { deadLetterQueue } = loaded.reached.queues[queue] ?? {}
    return { ...idleConsumer(queue), ...(deadLetterQueue ? { deadLetterQueue } : {}) }
  })
  return {
    config: { ...loaded.config, consumers, ...(certs === undefined ? {} : { certs }) },
    reached: loaded.reached,
    ...(certs === undefined ? {} : { certs }),
    text: templateText(file, loaded.findings),
  }
}

/** A short wait, because a stop lets the receive under way end by itself. */
export const idleConsumer = (queue: string) => ({ queue, handler: { kind: 'log' as const }, wait: '1s' })

/** Without credentials a device on this machine may do anything; with a certificate, what the template's policies say. */
async function certify(
  { policies }: LoadedTemplate,
  scenario: Scenario,
  { dataDir, certs, aws }: GatewayConfig,
): Promise<string | undefined> {
  if (Object.keys(policies).length === 0 || certs !== undefined) return undefined
  const out = join(dataDir, 'template', 'certs')
  const hosts = ['localhost', '127.0.0.1', '::1']
  const place = { out, hosts, region: aws.region, account: aws.accountId, product: 'coldchain', now: clock.now(), days: 30 }
  await mintCertificates(createDevices(scenario, 0, 0), place, policies)
  return out
}

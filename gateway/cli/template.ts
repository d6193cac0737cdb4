// A CloudFormation template as configuration: its rules and policies as files under the data directory, its queues and topics as resources.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { privateFile } from '../../lib/private-files.ts'
import { parseAs } from '../../lib/problems.ts'
import type { GatewayConfigInput } from '../config.ts'
import { GatewayError, invalidConfig, textOf } from '../errors.ts'
import { type Resources, resourcesSchema } from '../local/resources.ts'
import type { Place, Template } from '../template/intrinsics.ts'
import { templateShape } from '../template/shapes.ts'
import { type Finding, type Plan, translate } from '../template/translate.ts'
import { makeDataDir } from './data-dir.ts'

export interface LoadedTemplate {
  readonly config: Pick<GatewayConfigInput, 'rules' | 'resources'>
  /** Without the topics that no rule publishes to. */
  readonly reached: Resources
  /** By name: where its document is. */
  readonly policies: Readonly<Record<string, string>>
  /** Queues that consumers of this process take from. */
  readonly consumed: readonly string[]
  readonly findings: readonly Finding[]
}

export interface TemplateOptions extends Place {
  readonly dataDir: string
  /** Throws TEMPLATE_UNSUPPORTED where something of the template would be missing. */
  readonly strict: boolean
}

/** Throws CONFIG_INVALID for what is no template, or holds values that only AWS knows. */
export function loadTemplate(path: string, { dataDir, strict, ...place }: TemplateOptions): LoadedTemplate {
  const template = readTemplate(path)
  const plan = refusingOthers(path, () => translate(template, place))
  const missing = plan.findings.filter(({ fate }) => fate === 'unsupported')
  if (strict && missing.length > 0)
    throw new GatewayError('TEMPLATE_UNSUPPORTED', missing.map(({ id, text }) => `${path}: ${id}: ${text}`).join('\n'))
  const rules = writeAll(join(dataDir, 'template', 'rules'), plan.rules)
  const policies = writeAll(join(dataDir, 'template', 'policies'), plan.policies)
  const resources = parseAs(resourcesSchema, plan.resources, path, invalidConfig)
  return {
    config: { rules: { dir: rules.directory }, resources: plan.resources },
    reached: { ...resources, topics: publishedTopics(plan, resources) },
    policies: policies.files,
    consumed: plan.consumed.length > 0 ? plan.consumed : fedQueues(plan, resources),
    findings: plan.findings,
  }
}

function readTemplate(path: string): Template {
  let template: unknown
  try {
    template = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === undefined ? 'is not JSON; a YAML template must be converted first' : `cannot be read (${code})`
    throw new GatewayError('CONFIG_INVALID', `${path}: ${why}`)
  }
  parseAs(templateShape, template, `${path}: not a CloudFormation template`, invalidConfig)
  return template as Template
}

/** A template of the wrong shape is the template's mistake. */
function refusingOthers<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new GatewayError('CONFIG_INVALID', `${path}: ${textOf(error)}`, { cause: error })
  }
}

/** Leaves nothing of an earlier template. */
function writeAll(directory: string, documents: Readonly<Record<string, unknown>>) {
  makeDataDir(directory)
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true })
  const write = ([name, document]: [string, unknown]) => {
    const file = join(directory, `${encodeURIComponent(name)}.json`)
    writeFileSync(file, `${JSON.stringify(document, undefined, 2)}\n`, { mode: privateFile })
    return [name, file] as const
  }
  return { directory, files: Object.fromEntries(Object.entries(documents).map(write)) }
}

type Actions = readonly { readonly sqs?: { readonly queueUrl: string }; readonly sns?: { readonly targetArn: string } }[]

const actionsOf = ({ rules }: Plan): Actions => Object.values(rules).flatMap(({ actions }) => actions as Actions)

/** Where rules and topics send to. What error actions send is left for an operator. */
function fedQueues(plan: Plan, { queues, topics }: Resources): readonly string[] {
  const targets = actionsOf(plan).flatMap(({ sqs }) => (sqs ? [sqs.queueUrl] : []))
  const subscribed = Object.values(topics).flatMap((topic) => topic.queues.map(({ queue }) => queue))
  return [...new Set([...targets, ...subscribed])].filter((name) => Object.hasOwn(queues, name))
}

function publishedTopics(plan: Plan, { topics }: Resources): Resources['topics'] {
  const targets = actionsOf(plan).flatMap(({ sns }) => (sns ? [sns.targetArn] : []))
  const anyOf = targets.some((target) => target.includes('${'))
  return anyOf ? topics : Object.fromEntries(Object.entries(topics).filter(([name]) => targets.includes(name)))
}

const headings = { run: 'run here', ignored: 'not needed here', unsupported: 'not supported, and missing' } as const

/** Everything in the template, by what becomes of it. */
export function templateText(path: string, findings: readonly Finding[]): string {
  const groups = (['run', 'ignored', 'unsupported'] as const).flatMap((fate) => {
    const found = findings.filter((finding) => finding.fate === fate)
    if (found.length === 0) return []
    const lines = fate === 'ignored' ? byReason(found) : found.map(({ id, text }) => `    ${text}${fate === 'run' ? '' : ` (${id})`}`)
    return [`  ${headings[fate]}: ${found.length}`, ...lines]
  })
  return `${[path, ...groups].join('\n')}\n\n`
}

function byReason(findings: readonly Finding[]): readonly string[] {
  const reasons = Map.groupBy(findings, ({ type, text }) => `${type}: ${text}`)
  return [...reasons].map(([reason, all]) => `    ${all.length} × ${reason}`)
}

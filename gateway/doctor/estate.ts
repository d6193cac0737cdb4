// Everything the doctor looks at, read without giving up: what cannot be read or parsed becomes a problem, and the rest is still checked.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { z } from 'zod'
import { parseOrProblems } from '../../lib/problems.ts'
import { type PolicyDocument, policyDocumentSchema } from '../access/policy-document.ts'
import { type ThingsFile, thingsSchema } from '../access/things.ts'
import { configSchema, type GatewayConfig, readConfig, rulesDirOf, thingsPathOf } from '../config.ts'
import { GatewayError, textOf } from '../errors.ts'
import { type Resources, resourcesSchema } from '../local/resources.ts'
import type { Load } from '../plan/quotas.ts'
import { type RuleFile, ruleFileSchema } from '../rules/rule-file.ts'
import { externalNames, type Resolvers } from '../rules/sql/resolvers.ts'
import { compileStatement, type Statement } from '../rules/sql/statement.ts'
import { matches } from '../rules/topic/filter.ts'
import { type Deployed, type QueueFacts, queuesOf, type TopicFacts, topicsOf } from './queues.ts'
import { readTemplate, type TemplateRule, templateSchema } from './template.ts'

export type Kind = 'json' | 'rule' | 'sql' | 'policy' | 'resources' | 'environment' | 'config' | 'things' | 'template'

/** What kept a file from being understood. */
export interface Problem {
  readonly kind: Kind
  readonly file: string
  readonly field?: string
  readonly line?: number
  readonly column?: number
  readonly text: string
}

export interface CheckedRule {
  readonly path: string
  /** As written, before defaults. */
  readonly raw: Readonly<Record<string, unknown>>
  readonly file: RuleFile
  readonly statement: Statement
}

export interface Estate {
  readonly problems: readonly Problem[]
  readonly rules: readonly CheckedRule[]
  readonly rulesDir: string
  readonly policies: readonly { readonly path: string; readonly document: PolicyDocument }[]
  readonly queues: readonly QueueFacts[]
  readonly topics: readonly TopicFacts[]
  /** false: nobody said which queues and topics there are. */
  readonly knowsResources: boolean
  readonly templateQueues: readonly QueueFacts[]
  readonly config?: { readonly path: string; readonly raw: unknown; readonly config: GatewayConfig }
  readonly things?: { readonly path: string; readonly file: ThingsFile }
  readonly templateRules: readonly TemplateRule[]
  /** What AWS answered, when it was asked. */
  readonly deployed?: Deployed
  /** Every file that was read, parsed as JSON: for what can hide anywhere. */
  readonly documents: readonly { readonly path: string; readonly json: unknown }[]
  readonly fleet?: Load
  /** Regions with smaller quotas. */
  readonly region: 'large' | 'small'
}

export interface EstatePaths {
  /** By default the configuration's, or the rules that come with the program. */
  readonly rules?: string
  /** By default the folder `policies` next to the rules, where there is one. */
  readonly policies?: string
  /** By default the configuration's, or `resources.json` next to the rules; without either, targets are not looked up. */
  readonly resources?: string
  readonly config?: string
  readonly template?: string
  readonly fleet?: Load
  readonly region?: 'large' | 'small'
}

/** Throws CONFIG_INVALID only where a path that was named is not there. */
export async function readEstate(paths: EstatePaths): Promise<Estate> {
  const reader = createReader()
  const config = paths.config === undefined ? undefined : await readConfigFile(paths.config, reader)
  const rulesDir = shortened(paths.rules ?? rulesDirOf(config?.config ?? { rules: {} }))
  const rules = await readRuleFiles(rulesDir, reader)
  const things = await readThings(config?.config, reader)
  const policiesDir = paths.policies ?? neighbour(rulesDir, 'policies')
  const policies = [...(policiesDir === undefined ? [] : await readPolicies(policiesDir, reader)), ...(things?.policies ?? [])]
  const resources = await readResources(paths.resources, config, rulesDir, reader)
  const synthesized = paths.template === undefined ? undefined : await reader.parsed('template', paths.template, templateSchema)
  const template = synthesized && readTemplate(paths.template!, synthesized)
  return {
    problems: reader.problems,
    documents: reader.documents,
    rules,
    rulesDir,
    policies,
    queues: resources ? queuesOf(resources.path, resources.value) : [],
    topics: resources ? topicsOf(resources.path, resources.value) : [],
    knowsResources: resources !== undefined,
    templateQueues: template?.queues ?? [],
    templateRules: template?.rules ?? [],
    ...(config && { config }),
    ...(things && { things: { path: things.path, file: things.file } }),
    ...(paths.fleet && { fleet: { ...paths.fleet, rules: rules.length, rulesPerMessage: rulesPerMessage(rules) } }),
    region: paths.region ?? 'large',
  }
}

/** How many rules look at one message: of the topics that a FROM names, the one most of them cover. */
function rulesPerMessage(rules: readonly CheckedRule[]): number {
  const filters = rules.flatMap(({ file, statement }) => (file.ruleDisabled || statement.filter === undefined ? [] : [statement.filter]))
  const topics = filters.map((filter) => filter.replaceAll(/[+#]/g, 'x'))
  return Math.max(1, ...topics.map((topic) => filters.filter((filter) => matches(filter, topic)).length))
}

/** As a person would name it from where they are. */
function shortened(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}

function neighbour(dir: string, name: string): string | undefined {
  const path = join(dirname(dir), name)
  return existsSync(path) ? path : undefined
}

type Named<T> = { readonly path: string; readonly value: T }

async function readResources(
  given: string | undefined,
  config: Estate['config'],
  rulesDir: string,
  reader: Reader,
): Promise<Named<Resources> | undefined> {
  const configured = config?.config.resources
  if (given === undefined && config && configured !== undefined && typeof configured !== 'string')
    return { path: config.path, value: configured }
  const path = given ?? (configured as string | undefined) ?? neighbour(rulesDir, 'resources.json')
  const value = path === undefined ? undefined : await reader.parsed('resources', path, resourcesSchema)
  return path === undefined || value === undefined ? undefined : { path, value }
}

function createReader() {
  const problems: Problem[] = []
  const documents: { path: string; json: unknown }[] = []
  return {
    problems,
    documents,
    report: (kind: Kind, file: string, found: Omit<Problem, 'kind' | 'file'>) => void problems.push({ kind, file, ...found }),
    /** undefined: not JSON, which is then a problem. */
    async json(path: string): Promise<unknown> {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new GatewayError('CONFIG_INVALID', `${path}: cannot be read (${error.code})`)
      })
      try {
        const json: unknown = JSON.parse(text)
        documents.push({ path, json })
        return json
      } catch (error) {
        this.report('json', path, { text: `it is not JSON: ${textOf(error)}` })
        return undefined
      }
    },
    async parsed<T extends z.ZodType>(kind: Kind, path: string, schema: T): Promise<z.output<T> | undefined> {
      const json = await this.json(path)
      return json === undefined ? undefined : this.checked(kind, path, schema, json)
    },
    checked<T extends z.ZodType>(kind: Kind, path: string, schema: T, json: unknown): z.output<T> | undefined {
      const parsed = parseOrProblems(schema, json)
      if ('value' in parsed) return parsed.value
      for (const problem of parsed.problems) this.report(kind, path, problem)
      return undefined
    },
  }
}

type Reader = ReturnType<typeof createReader>

async function jsonFilesIn(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    throw new GatewayError('CONFIG_INVALID', `${dir}: cannot be read as a directory (${error.code})`)
  })
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(dir, name))
}

async function readRuleFiles(dir: string, reader: Reader): Promise<readonly CheckedRule[]> {
  const rules: CheckedRule[] = []
  for (const path of await jsonFilesIn(dir)) {
    const raw = await reader.json(path)
    const file = raw === undefined ? undefined : reader.checked('rule', path, ruleFileSchema, raw)
    const statement = file && compiled(path, file, reader)
    if (file && statement) rules.push({ path, raw: raw as CheckedRule['raw'], file, statement })
  }
  return rules
}

/** What only AWS can answer is no mistake here: a check of its own tells of it. */
const anyResolver: Resolvers = Object.fromEntries([...externalNames].map((name) => [name, () => undefined]))

function compiled(path: string, { sql, awsIotSqlVersion: version }: RuleFile, reader: Reader): Statement | undefined {
  try {
    return compileStatement(sql, { version, resolvers: anyResolver })
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { line, column } = error.details as { readonly line?: number; readonly column?: number }
    const text = error.message.replace(/^line \d+, column \d+: /, '')
    reader.report('sql', path, { field: 'sql', text, ...(line !== undefined && { line }), ...(column !== undefined && { column }) })
    return undefined
  }
}

async function readPolicies(dir: string, reader: Reader): Promise<Estate['policies']> {
  const policies: { path: string; document: PolicyDocument }[] = []
  for (const path of await jsonFilesIn(dir)) {
    const document = await reader.parsed('policy', path, policyDocumentSchema)
    if (document) policies.push({ path, document })
  }
  return policies
}

async function readConfigFile(path: string, reader: Reader): Promise<Estate['config']> {
  const raw = await reader.json(path)
  const filled = raw === undefined ? undefined : fromEnvironment(path, reader)
  const config = filled === undefined ? undefined : reader.checked('config', path, configSchema, filled)
  return config && { path, raw, config }
}

function fromEnvironment(path: string, reader: Reader): unknown {
  try {
    return readConfig(path)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    reader.report('environment', path, { text: error.message.replace(`${path}: `, '') })
    return undefined
  }
}

/** The registry that the configuration names, and the policies in it. */
async function readThings(config: GatewayConfig | undefined, reader: Reader) {
  const path = config && thingsPathOf(config)
  const file = path === undefined ? undefined : await reader.parsed('things', path, thingsSchema)
  if (path === undefined || file === undefined) return undefined
  const policies: { path: string; document: PolicyDocument }[] = []
  for (const [name, policy] of Object.entries(file.policies)) {
    const at = typeof policy === 'string' ? resolve(dirname(path), policy) : `${path}#${name}`
    const document =
      typeof policy === 'string'
        ? await reader.parsed('policy', at, policyDocumentSchema)
        : reader.checked('policy', at, policyDocumentSchema, policy)
    if (document) policies.push({ path: at, document })
  }
  return { path, file, policies }
}

// The registry: which things there are, which certificates and users may speak for them, and under which policies.
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { readJsonFile } from '../../lib/json-file.ts'
import { parseAs } from '../../lib/problems.ts'
import { invalidConfig } from '../errors.ts'
import { compilePolicies, type Policies } from './policy.ts'
import { type PolicyDocument, parsePolicyDocument } from './policy-document.ts'
import { hashPattern } from './secrets.ts'

const policyName = z.string().regex(/^[\w+=,.@-]{1,128}$/, 'expected 1 to 128 letters, digits or + = , . @ - _')
const policyNames = z.array(policyName).max(10, 'AWS attaches ten policies at most').default([])
const certificateId = z.string().regex(/^[0-9a-f]{64}$/, 'expected a certificate id: 64 hexadecimal digits, lower case')
const tenant = z.string().min(1).max(128)
const attributeText = /^[\w.,@/:#-]*$/

const thing = z
  .strictObject({
    thingName: z.string().regex(/^[\w:-]{1,128}$/, 'expected 1 to 128 letters, digits or : - _'),
    thingTypeName: z.string().optional(),
    attributes: z
      .record(z.string().max(128).regex(attributeText), z.string().max(800).regex(attributeText))
      .default({})
      .describe('three at most without a thing type, fifty with one'),
    principals: z.array(z.string()).default([]).describe('certificate ids, or names of users and tokens, that may speak for it'),
    tenant: tenant.optional().describe('who owns it'),
    policies: policyNames.describe('attached to every principal of the thing'),
  })
  .refine((value) => Object.keys(value.attributes).length <= (value.thingTypeName === undefined ? 3 : 50), {
    message: 'AWS keeps three attributes without a thing type, fifty with one',
    path: ['attributes'],
  })

export const loginSchema = z.strictObject({
  name: z.string().regex(/^(?![0-9a-f]{64}$)[\w@-]{1,128}$/, 'expected 1 to 128 letters, digits or @ - _, and no certificate id'),
  hash: z.string().regex(hashPattern, 'expected a hash that begins with $scrypt$ln=14,r=8,p=1$').describe('never the secret itself'),
  tenant: tenant.optional(),
  policies: policyNames,
})

export const thingsSchema = z
  .strictObject({
    policies: z
      .record(policyName, z.union([z.string(), z.record(z.string(), z.unknown())]))
      .default({})
      .describe('documents, or the paths of their files'),
    certificates: z
      .array(
        z.strictObject({
          certificateId,
          status: z.enum(['ACTIVE', 'INACTIVE', 'REVOKED']).default('ACTIVE'),
          policies: policyNames,
        }),
      )
      .default([])
      .describe('certificates with a status or policies of their own'),
    things: z.array(thing).default([]),
    users: z.array(loginSchema).default([]).describe('name and password, for development'),
    tokens: z.array(loginSchema).default([]).describe('bearer tokens <name>.<secret>; the hash is of the secret'),
  })
  .superRefine((file, context) => {
    const report = (path: readonly PropertyKey[], message: string) => context.addIssue({ code: 'custom', path: [...path], message })
    for (const list of ['certificates', 'things', 'users', 'tokens'] as const) {
      file[list].forEach(({ policies }, index) => {
        for (const name of policies)
          if (!Object.hasOwn(file.policies, name)) report([list, index, 'policies'], `policy ${name} is not in policies`)
      })
    }
    // Users and tokens are principals side by side.
    const names = {
      certificates: file.certificates.map((entry) => entry.certificateId),
      things: file.things.map(({ thingName }) => thingName),
      'users and tokens': [...file.users, ...file.tokens].map(({ name }) => name),
    }
    for (const [list, all] of Object.entries(names)) {
      for (const name of new Set(all.filter((entry, index) => all.indexOf(entry) !== index))) report([list], `${name} is there twice`)
    }
  })

export type ThingsFile = z.infer<typeof thingsSchema>
/** What a writer of the file may leave out. */
export type Thing = ThingsFile['things'][number]
export type Login = ThingsFile['users'][number]

export interface Things {
  /** How many things there are. */
  readonly count: number
  /** Files that policies were read from. */
  readonly policyFiles: readonly string[]
  /** Tenants of things, users and tokens. */
  readonly tenants: ReadonlySet<string>
  thing(name: string): Thing | undefined
  /** Things a principal is attached to. */
  thingsOf(principal: string): readonly Thing[]
  /** undefined: nobody registered such a certificate. */
  certificateStatus(id: string): 'ACTIVE' | 'INACTIVE' | 'REVOKED' | undefined
  user(name: string): Login | undefined
  token(name: string): Login | undefined
  /** All policies of a principal: its own and those of its things. */
  policiesOf(principal: string, own?: readonly string[]): Policies
}

/** An index over a file whose policies are all documents. */
export function createThings(
  file: ThingsFile,
  documents: Readonly<Record<string, PolicyDocument>>,
  policyFiles: readonly string[] = [],
): Things {
  const things = new Map(file.things.map((entry) => [entry.thingName, entry]))
  const certificates = new Map(file.certificates.map((entry) => [entry.certificateId, entry]))
  const users = new Map(file.users.map((entry) => [entry.name, entry]))
  const tokens = new Map(file.tokens.map((entry) => [entry.name, entry]))
  const byPrincipal = new Map<string, Thing[]>()
  for (const entry of file.things) {
    for (const principal of entry.principals) {
      const known = byPrincipal.get(principal)
      if (known) known.push(entry)
      else byPrincipal.set(principal, [entry])
    }
  }
  const thingsOf = (principal: string) => byPrincipal.get(principal) ?? []
  // A fleet has many certificates and few sets of policies.
  const compiled = new Map<string, Policies>()
  const owned = [...file.things, ...file.users, ...file.tokens]
  return {
    count: things.size,
    policyFiles,
    tenants: new Set(owned.flatMap(({ tenant }) => tenant ?? [])),
    thing: (name) => things.get(name),
    thingsOf,
    certificateStatus: (id) => certificates.get(id)?.status ?? (byPrincipal.has(id) ? 'ACTIVE' : undefined),
    user: (name) => users.get(name),
    token: (name) => tokens.get(name),
    policiesOf(principal, own = []) {
      const attached = [own, certificates.get(principal)?.policies ?? [], ...thingsOf(principal).map(({ policies }) => policies)]
      const names = [...new Set(attached.flat())].sort()
      const key = names.join(' ')
      const policies = compiled.get(key) ?? compilePolicies(names.map((name) => documents[name]!))
      compiled.set(key, policies)
      return policies
    },
  }
}

/** A registry with nobody in it. */
export const noThings: Things = createThings(thingsSchema.parse({}), {})

/** Reads the file and the policies it names, relative to it. Throws CONFIG_INVALID with every problem, one a line. */
export async function loadThings(path: string): Promise<Things> {
  const file = parseAs(thingsSchema, await readJsonFile(path, invalidConfig), path, invalidConfig)
  const policyFiles: string[] = []
  const documents = await Promise.all(
    Object.entries(file.policies).map(async ([name, policy]) => {
      if (typeof policy !== 'string') return [name, parsePolicyDocument(policy, `${path}: policies.${name}`)] as const
      const policyPath = resolve(dirname(path), policy)
      policyFiles.push(policyPath)
      return [name, parsePolicyDocument(await readJsonFile(policyPath, invalidConfig), policyPath)] as const
    }),
  )
  return createThings(file, Object.fromEntries(documents), policyFiles)
}

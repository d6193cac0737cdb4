// Who a connection is: certificate, password or token in; principal, thing, tenant and policies out.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { GatewayError } from '../errors.ts'
import { type DeviceCertificate, readCertificate } from './certificate.ts'
import { compilePolicies, type Policies } from './policy.ts'
import type { PolicyContext, PolicyThing } from './policy-variables.ts'
import { createVerifier, type Verifier } from './secrets.ts'
import type { Login, Thing, Things } from './things.ts'

export const identitySchema = z.strictObject({
  things: z.string().optional().describe('path of things.json: things, certificates, users, tokens and their policies'),
  anonymous: z
    .enum(['loopback', 'off'])
    .default('loopback')
    .describe('who needs no credentials: clients on this machine, which may then do anything, or nobody'),
})

export type IdentityConfig = z.infer<typeof identitySchema>

/** What a door knows of whoever connects. */
export interface Credentials {
  /** DER or PEM of the client certificate, already verified against the CA and proven by the TLS handshake. */
  readonly certificate?: Uint8Array | string
  readonly username?: string
  readonly password?: string
  /** From `Authorization: Bearer`. */
  readonly token?: string
  /** Absent on HTTP. */
  readonly clientId?: string
  readonly sourceIp?: string
  /** The host name of the TLS handshake. */
  readonly domainName?: string
  /** Both ends of the connection are on this machine. */
  readonly loopback: boolean
}

export interface Identity {
  readonly kind: 'certificate' | 'user' | 'token' | 'anonymous'
  /** Certificate id, or the name of a user or a token; absent for anonymous clients. */
  readonly principal?: string
  /** The tenant of the principal's own things, whatever client id it uses. */
  readonly tenant?: string
  readonly policies: Policies
  /** For `policies.bind`; a CONNECT adds its attributes and its will. */
  readonly context: PolicyContext
}

export interface IdentityOptions {
  /** Asked at each connect, so that a registry read anew counts at once. */
  readonly things: () => Things
  readonly anonymous: IdentityConfig['anonymous']
  readonly clock: Pick<Clock, 'now'>
  readonly verifier?: Verifier
}

export interface Identities {
  /** Throws NOT_AUTHENTICATED; RATE_EXCEEDED when too many passwords are being checked. Wrong credentials never become anonymous. */
  identify(credentials: Credentials): Promise<Identity>
}

const everything = compilePolicies([{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }])

export function createIdentities({ things, anonymous, clock, verifier = createVerifier() }: IdentityOptions): Identities {
  const known = (kind: Identity['kind'], principal: string, credentials: Credentials, more: More = {}): Identity => {
    const registry = things()
    const tenant = more.login?.tenant ?? tenantOf(registry.thingsOf(principal), credentials.clientId)
    return {
      kind,
      principal,
      ...(tenant === undefined ? {} : { tenant }),
      policies: registry.policiesOf(principal, more.login?.policies),
      context: contextOf(credentials, { registry, principal, clock, certificate: more.certificate }),
    }
  }
  return {
    async identify(credentials) {
      const { certificate, username, password, token, loopback } = credentials
      if (certificate !== undefined) {
        const read = checkCertificate(certificate, things(), clock)
        return known('certificate', read.id, credentials, { certificate: read })
      }
      if (token !== undefined) {
        const [name = '', ...secret] = token.split('.')
        const login = await checkLogin(verifier, things().token(name), secret.join('.'))
        return known('token', login.name, credentials, { login })
      }
      if (username !== undefined || password !== undefined) {
        const login = await checkLogin(verifier, things().user(username ?? ''), password ?? '')
        return known('user', login.name, credentials, { login })
      }
      if (anonymous !== 'loopback' || !loopback) throw new GatewayError('NOT_AUTHENTICATED', 'credentials are needed')
      return { kind: 'anonymous', policies: everything, context: contextOf(credentials, { registry: things(), clock }) }
    },
  }
}

interface More {
  readonly login?: Login
  readonly certificate?: DeviceCertificate
}

function checkCertificate(bytes: Uint8Array | string, things: Things, clock: Pick<Clock, 'now'>): DeviceCertificate {
  const certificate = readOrRefuse(bytes)
  const refuse = (why: string) =>
    new GatewayError('NOT_AUTHENTICATED', `the certificate ${why}`, { details: { certificateId: certificate.id } })
  const status = things.certificateStatus(certificate.id)
  if (status === undefined) throw refuse('is not registered')
  if (status !== 'ACTIVE') throw refuse(status === 'REVOKED' ? 'was revoked' : 'is not active')
  const now = clock.now()
  if (now < certificate.notBefore) throw refuse('is not valid yet')
  if (now > certificate.notAfter) throw refuse('has expired')
  return certificate
}

function readOrRefuse(bytes: Uint8Array | string): DeviceCertificate {
  try {
    return readCertificate(bytes)
  } catch (cause) {
    throw new GatewayError('NOT_AUTHENTICATED', 'the certificate cannot be read', { cause })
  }
}

/** The same answer for a wrong name and a wrong secret. */
async function checkLogin(verifier: Verifier, login: Login | undefined, secret: string): Promise<Login> {
  const right = await verifier.verify(secret, login?.hash)
  if (!right || !login) throw new GatewayError('NOT_AUTHENTICATED', 'the name or its secret is wrong')
  return login
}

/** A client id is only a claim: another thing's name does not bring its tenant. */
function tenantOf(attached: readonly Thing[], clientId: string | undefined): string | undefined {
  const own = attached.find(({ thingName }) => thingName === clientId)
  if (own) return own.tenant
  const tenants = new Set(attached.map(({ tenant }) => tenant))
  return tenants.size === 1 ? [...tenants][0] : undefined
}

interface ContextParts {
  readonly registry: Things
  readonly clock: Pick<Clock, 'now'>
  readonly principal?: string
  readonly certificate?: DeviceCertificate | undefined
}

/**
 * The thing is the one that the client id names, attached or not: policies ask `IsAttached` [AWS iot thing-policy-variables].
 * Without a client id, as on HTTP, it is the one thing that the principal speaks for, as with AWS's exclusive things.
 */
function contextOf(
  { clientId, sourceIp, domainName }: Credentials,
  { registry, clock, principal, certificate }: ContextParts,
): PolicyContext {
  const thing = clientId === undefined ? only(registry.thingsOf(principal ?? '')) : registry.thing(clientId)
  return {
    clientId,
    sourceIp,
    domainName,
    thing: thing ? toPolicyThing(thing, principal) : null,
    certificate: certificate?.facts ?? null,
    now: () => clock.now(),
  }
}

const only = <T>(list: readonly T[]): T | undefined => (list.length === 1 ? list[0] : undefined)

function toPolicyThing({ thingName, thingTypeName, attributes, principals }: Thing, principal: string | undefined): PolicyThing {
  return { name: thingName, thingTypeName, attributes, attachedToPrincipal: principal !== undefined && principals.includes(principal) }
}

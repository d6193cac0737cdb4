// Host names of SQS: the only hosts, besides the configured endpoint, that may receive the credentials.

const region = '[a-z]{2,4}(?:-[a-z]+)+-\\d{1,2}'
const domains = 'amazonaws\\.com(?:\\.cn)?|amazonaws\\.eu|c2s\\.ic\\.gov|sc2s\\.sgov\\.gov|csp\\.hci\\.ic\\.gov|cloud\\.adc-e\\.uk'

/** [AWS General Reference, SQS endpoints; AWS PrivateLink for SQS] */
const patterns: readonly RegExp[] = [
  // Regional and FIPS, China, GovCloud and the isolated partitions.
  `sqs(?:-fips)?\\.${region}\\.(?:${domains})`,
  // Dual stack.
  `sqs(?:-fips)?\\.${region}\\.api\\.(?:aws|amazonwebservices\\.com\\.cn|amazonwebservices\\.eu)`,
  // Legacy.
  `(?:${region}\\.)?queue\\.amazonaws\\.com(?:\\.cn)?`,
  // VPC endpoints, of a Region and of an Availability Zone.
  `vpce-[a-z\\d-]+\\.sqs(?:-fips)?\\.${region}\\.vpce\\.(?:${domains})`,
].map((pattern) => new RegExp(`^${pattern}$`))

/** Over TLS, on the usual port, without user info. */
export function isSqsUrl({ protocol, hostname, port, username, password }: URL): boolean {
  return protocol === 'https:' && port === '' && username === '' && password === '' && patterns.some((pattern) => pattern.test(hostname))
}

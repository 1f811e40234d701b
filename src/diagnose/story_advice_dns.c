/* SPDX-License-Identifier: Apache-2.0 */
/* Advice on names. Sources: VPC Lattice User Guide (custom domain names), VPC User Guide (DNS concepts),
 * Route 53 Developer Guide (private zones, Resolver), the manuals of unbound.conf(5) and dnsmasq(8). */
#include "lattice-probe/story.h"

#include "story_advice_internal.h"

#define USE_VPC_RESOLVER \
	"Let the hosts of this VPC ask the VPC resolver: VPC console → DHCP option sets → Create DHCP option set, " \
	"domain name servers: AmazonProvidedDNS. Then Your VPCs → {VPC_ID} → Actions → Edit VPC settings → DHCP " \
	"option set. Hosts take it over when they renew their lease."
#define SHOW_OPTION_SET "aws ec2 describe-vpcs --vpc-ids {VPC_ID} --query 'Vpcs[].DhcpOptionsId' --output text"
#define ASK_RESOLVER "dig @{RESOLVER} {HOST} {RECORD_TYPE}"
#define ASK_VPC_RESOLVER "dig @169.254.169.253 {HOST} {RECORD_TYPE}"
#define LIST_SERVICES \
	"aws vpc-lattice list-service-network-service-associations --service-network-identifier " \
	"{SERVICE_NETWORK_ID} --query 'items[].[serviceName,customDomainName,dnsEntry.domainName,status]' " \
	"--output table"

static bool is_custom(const struct evidence *evidence)
{
	return evidence->target.name == EVIDENCE_NAME_CUSTOM;
}

static bool is_generated(const struct evidence *evidence)
{
	return evidence->target.name != EVIDENCE_NAME_CUSTOM;
}

static bool lacks_hostnames(const struct evidence *evidence)
{
	return evidence->control.dns_hostnames != CLAIM_YES;
}

static bool may_be_outside(const struct evidence *evidence)
{
	return evidence->where.imds != EVIDENCE_IMDS_OK && evidence->where.platform != HOST_PLATFORM_EC2;
}

static bool lacks_dns_support(const struct evidence *evidence)
{
	return evidence->control.dns_support != CLAIM_YES;
}

static const struct story_advice_row resolver_silent[] = {
	{ USE_VPC_RESOLVER, SHOW_OPTION_SET, NULL },
	{ "If {RESOLVER} is meant to be asked: see that it runs, and that security groups, network ACLs and "
	  "firewalls let UDP and TCP port 53 reach it and let its answers back.", ASK_RESOLVER, NULL },
	{ "Until then resolver = vpc in the probe's section makes the probe ask the VPC resolver. It does not help "
	  "the applications on this host.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row vpc_resolver_silent[] = {
	{ "See whether DNS resolution is on in the VPC: VPC console → Your VPCs → {VPC_ID} → Actions → Edit VPC "
	  "settings → Enable DNS resolution.",
	  "aws ec2 describe-vpc-attribute --vpc-id {VPC_ID} --attribute enableDnsSupport", NULL },
	{ "If it is off, switch it on.",
	  "aws ec2 modify-vpc-attribute --vpc-id {VPC_ID} --enable-dns-support '{\"Value\":true}'", lacks_dns_support },
	{ "If it is on: security groups and network ACLs cannot filter the VPC resolver, but a firewall of this "
	  "host can. Look for rules on port 53.", "sudo nft list ruleset", NULL },
	{ "A host outside AWS has no VPC resolver: give it a resolver that answers.", NULL, may_be_outside },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row throttled[] = {
	{ "See whether the network card counts drops. The allowance is 1024 packets a second for DNS, metadata and "
	  "time together, and cannot be raised.", "ethtool -S {DEVICE} | grep linklocal_allowance_exceeded", NULL },
	{ "If it rises: ask less. Run a caching resolver on the host (systemd-resolved, unbound, dnsmasq), end names "
	  "with a dot so that search domains are not tried, raise the interval of the probes.", NULL, NULL },
	{ "If it stands still: replies are lost on the way to {RESOLVER}, or there. Ask it many times.",
	  ASK_RESOLVER " +tries=1 +timeout=1", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row servfail[] = {
	{ "Ask {RESOLVER} and read its log: SERVFAIL means that it could not find out, often because the server it "
	  "forwards to does not answer or DNSSEC validation fails.", ASK_RESOLVER, NULL },
	{ "Compare with the VPC resolver. If that fails as well, look at the forwarding rules: Route 53 console → "
	  "Resolver → Rules, their target addresses and the outbound endpoint.", ASK_VPC_RESOLVER, NULL },
	{ "If the VPC resolver answers: " USE_VPC_RESOLVER, SHOW_OPTION_SET, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row refused[] = {
	{ "Let {RESOLVER} serve this host's network (unbound: access-control, BIND: allow-query and "
	  "allow-recursion).", ASK_RESOLVER, NULL },
	{ "Or let this host ask the VPC resolver. " USE_VPC_RESOLVER, SHOW_OPTION_SET, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row bad_reply[] = {
	{ "Look at what {RESOLVER} sends; a DNS proxy, a VPN client or a filter between may rewrite it.",
	  ASK_RESOLVER, NULL },
	{ "Compare with the VPC resolver, and use that if it answers well.", ASK_VPC_RESOLVER, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row wrong_resolver[] = {
	{ USE_VPC_RESOLVER, SHOW_OPTION_SET, NULL },
	{ "Or keep {RESOLVER} and let it forward on.aws to the VPC resolver (169.254.169.253, or the VPC's base "
	  "address + 2). From outside the VPC that takes a Route 53 Resolver inbound endpoint: Route 53 console → "
	  "Resolver → Inbound endpoints.", NULL, is_generated },
	{ "Or keep {RESOLVER} and let it forward the custom domain, and on.aws behind it, to the VPC resolver "
	  "(169.254.169.253, or the VPC's base address + 2). From outside the VPC that takes a Route 53 Resolver "
	  "inbound endpoint: Route 53 console → Resolver → Inbound endpoints.", NULL, is_custom },
	{ "Check: both must give the same answer.", ASK_RESOLVER "; " ASK_VPC_RESOLVER, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row rebind_filtered[] = {
	{ "unbound: in the server section of {RESOLVER} add private-domain: \"on.aws\" and reload.",
	  "sudo unbound-control reload", NULL },
	{ "dnsmasq: add rebind-domain-ok=/on.aws/ and restart it.", NULL, NULL },
	{ "Another filter (AdGuard, a router): allow private and link-local answers for on.aws. "
	  "systemd-resolved strips nothing itself: look at the server behind it.", "resolvectl status", NULL },
	{ "Allow the custom domain {HOST} in the same way: the filter looks at that name too.", NULL, is_custom },
	{ "Or let this host ask the VPC resolver, which strips nothing.", ASK_VPC_RESOLVER, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row cname_loop[] = {
	{ "Look at the chain.", "dig {HOST} CNAME", NULL },
	{ "Make the record an alias or CNAME of the service's generated name: Route 53 console → Hosted zones → the "
	  "zone → the record → Edit record. The generated name stands under VPC console → PrivateLink and Lattice → "
	  "Services → the service → Domain name.", LIST_SERVICES, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row dangling_cname[] = {
	{ "See which name the service has now. The service may have been made anew: its generated name holds its id.",
	  LIST_SERVICES, NULL },
	{ "Let the record point there: Route 53 console → Hosted zones → the zone → the record → Edit record.",
	  "dig {HOST} CNAME", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row no_private_zone[] = {
	{ "See which private zones this VPC has.",
	  "aws route53 list-hosted-zones-by-vpc --vpc-id {VPC_ID} --vpc-region {REGION}", NULL },
	{ "If the zone is there but not for this VPC: Route 53 console → Hosted zones → the private zone → Edit hosted "
	  "zone → Add VPC → {VPC_ID}.",
	  "aws route53 associate-vpc-with-hosted-zone --hosted-zone-id HOSTED_ZONE_ID "
	  "--vpc VPCRegion={REGION},VPCId={VPC_ID}", NULL },
	{ "If there is none: create a private hosted zone for the domain with {HOST} as an alias or CNAME of "
	  "{GENERATED_NAME}.", NULL, NULL },
	{ "Private zones need DNS resolution and DNS hostnames on in the VPC (Edit VPC settings).",
	  "aws ec2 modify-vpc-attribute --vpc-id {VPC_ID} --enable-dns-hostnames '{\"Value\":true}'", lacks_hostnames },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row nxdomain[] = {
	{ "Compare the name with those of the service network: VPC console → PrivateLink and Lattice → Service "
	  "networks → the network → Service associations. A service that was made anew has another generated name.",
	  LIST_SERVICES, NULL },
	{ "Generated names are public: ask from a host with internet access. If the name is there, it is hidden from "
	  "this VPC.", "dig +trace {HOST} {RECORD_TYPE}", is_generated },
	{ "Hidden by a private zone? Look for zones that cover the name.",
	  "aws route53 list-hosted-zones-by-vpc --vpc-id {VPC_ID} --vpc-region {REGION}", NULL },
	{ "Hidden by a Route 53 Resolver DNS Firewall? VPC console → DNS firewall → Rule groups.",
	  "aws route53resolver list-firewall-rule-group-associations --vpc-id {VPC_ID}", NULL },
	{ "Hidden by a forwarding rule? Route 53 console → Resolver → Rules.",
	  "aws route53resolver list-resolver-rule-associations --filters Name=VPCId,Values={VPC_ID}", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row nodata[] = {
	{ "See what the name holds.", "dig {HOST} A {HOST} AAAA", NULL },
	{ "A custom domain needs an alias (A and AAAA) or a CNAME to the generated name: Route 53 console → Hosted "
	  "zones → the zone → Create record.", LIST_SERVICES, is_custom },
	{ "If only the other family has an address, set ip = auto in the probe's section.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row no_usable_family[] = {
	{ "Give the name an address of the family that this host has: a service's generated name has A and AAAA, so "
	  "a CNAME, or an alias for both, passes both on.", "dig {HOST} A {HOST} AAAA", NULL },
	{ "Or give this host the other family: VPC console → Subnets → {SUBNET_ID} → Actions → Edit IPv6 CIDRs, then "
	  "assign the network interface an address.", "ip -brief address", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row unexpected_address[] = {
	{ "See where the address comes from: compare the configured resolver with the VPC resolver.",
	  ASK_VPC_RESOLVER, NULL },
	{ "A public address for a custom domain: the private hosted zone is missing in this VPC, or the record is not "
	  "for VPC Lattice at all. It should be an alias or CNAME of {GENERATED_NAME}.",
	  "aws route53 list-hosted-zones-by-vpc --vpc-id {VPC_ID} --vpc-region {REGION}", is_custom },
	{ "A private address of another network may be a service-network endpoint in another VPC: then this host "
	  "needs a route there (Transit Gateway, peering, VPN) and the endpoint's security group must let it in.",
	  "aws ec2 describe-vpc-endpoints --filters Name=vpc-endpoint-type,Values=ServiceNetwork", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row denied_address[] = {
	{ "Correct the record or the resolver: at this address hosts hand out credentials, no service lives there. "
	  "The probe refuses it on purpose.", "dig {HOST} {RECORD_TYPE}", NULL },
	{ NULL, NULL, NULL }
};

const struct story_advice story_advice_dns[DIAGNOSIS_COUNT] = {
	[DIAGNOSIS_DNS_RESOLVER_SILENT] = { resolver_silent, { "the configured resolver does not answer, but the "
		"VPC resolver does.", ASK_RESOLVER "; " ASK_VPC_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_VPC_RESOLVER_SILENT] = { vpc_resolver_silent, { "the VPC resolver does not answer either.",
		ASK_VPC_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_THROTTLED] = { throttled, { "the counter rises while it is asked.",
		"ethtool -S {DEVICE} | grep linklocal_allowance_exceeded", NULL } },
	[DIAGNOSIS_DNS_SERVFAIL] = { servfail, { "the resolver says SERVFAIL.", ASK_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_REFUSED] = { refused, { "the resolver says REFUSED.", ASK_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_BAD_REPLY] = { bad_reply, { "the reply is malformed.", ASK_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_WRONG_RESOLVER] = { wrong_resolver, { "the VPC resolver knows the name and the "
		"configured one does not.", ASK_RESOLVER "; " ASK_VPC_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_REBIND_FILTERED] = { rebind_filtered, { "the VPC resolver gives an address, the configured "
		"one an empty answer.", ASK_RESOLVER "; " ASK_VPC_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_CNAME_LOOP] = { cname_loop, { "the chain comes back to a name it has passed.",
		"dig {HOST} CNAME", NULL } },
	[DIAGNOSIS_DNS_DANGLING_CNAME] = { dangling_cname, { "the record points to a name that is not there.",
		"dig {HOST} CNAME", NULL } },
	[DIAGNOSIS_DNS_NO_PRIVATE_ZONE] = { no_private_zone, { "no private zone of this VPC covers the name.",
		"aws route53 list-hosted-zones-by-vpc --vpc-id {VPC_ID} --vpc-region {REGION}", NULL } },
	[DIAGNOSIS_DNS_NXDOMAIN] = { nxdomain, { "the service network does not list the name.", LIST_SERVICES, NULL } },
	[DIAGNOSIS_DNS_NODATA] = { nodata, { "the name has no address of any family.", "dig {HOST} A {HOST} AAAA",
		NULL } },
	[DIAGNOSIS_DNS_NO_USABLE_FAMILY] = { no_usable_family, { "this host has no address of the family.",
		"ip -brief address", NULL } },
	[DIAGNOSIS_DNS_UNEXPECTED_ADDRESS] = { unexpected_address, { "the VPC resolver gives another address.",
		ASK_VPC_RESOLVER, NULL } },
	[DIAGNOSIS_DNS_DENIED_ADDRESS] = { denied_address, { "the name leads to 169.254.169.254 or its like.",
		"dig {HOST} {RECORD_TYPE}", NULL } },
};

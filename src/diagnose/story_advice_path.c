/* SPDX-License-Identifier: Apache-2.0 */
/* Advice on the way to the address. Sources: VPC Lattice User Guide (how it works, security groups, network
 * ACLs, quotas), PrivateLink Guide (service-network endpoints), ip-route(8), tcp(7). */
#include "lattice-probe/story.h"

#include "story_advice_internal.h"

#define SHOW_ROUTE "ip route get {ADDRESS}"
#define SHOW_RULESET "sudo nft list ruleset"
#define LIST_ASSOCIATIONS \
	"aws vpc-lattice list-service-network-vpc-associations --vpc-identifier {VPC_ID} " \
	"--query 'items[].[id,serviceNetworkName,status]' --output table"
#define SHOW_ASSOCIATION \
	"aws vpc-lattice get-service-network-vpc-association --service-network-vpc-association-identifier " \
	"{ASSOCIATION_ID}"
#define SHOW_INSTANCE_GROUP \
	"aws ec2 describe-security-groups --group-ids {INSTANCE_GROUP_ID} " \
	"--query 'SecurityGroups[].IpPermissionsEgress'"
#define SHOW_ACL \
	"aws ec2 describe-network-acls --filters Name=association.subnet-id,Values={SUBNET_ID} " \
	"--query 'NetworkAcls[].Entries'"

static const struct evidence_path *path_of(const struct evidence *evidence)
{
	return evidence_preferred_path(evidence);
}

static bool is_v4(const struct evidence *evidence)
{
	return !path_of(evidence) || path_of(evidence)->address.sa.sa_family != AF_INET6;
}

static bool is_v6(const struct evidence *evidence)
{
	return !is_v4(evidence);
}

static bool is_by_endpoint(const struct evidence *evidence)
{
	return path_of(evidence) && path_of(evidence)->class_ == ADDRESS_CLASS_VPC;
}

static bool is_elsewhere(const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);

	return path && path->class_ != ADDRESS_CLASS_LATTICE && path->class_ != ADDRESS_CLASS_RESOURCE &&
		path->class_ != ADDRESS_CLASS_VPC;
}

static bool may_be_lattice(const struct evidence *evidence)
{
	return !is_elsewhere(evidence);
}

static bool is_by_association(const struct evidence *evidence)
{
	return !is_by_endpoint(evidence);
}

static bool is_by_association_v4(const struct evidence *evidence)
{
	return is_by_association(evidence) && is_v4(evidence);
}

static bool is_by_association_v6(const struct evidence *evidence)
{
	return is_by_association(evidence) && is_v6(evidence);
}

static bool has_association(const struct evidence *evidence)
{
	return evidence->control.association_id[0] != '\0';
}

static bool has_no_association(const struct evidence *evidence)
{
	return !has_association(evidence);
}

/* What the control plane has shown to be fine is not looked up again. */
static bool may_lack_association(const struct evidence *evidence)
{
	return is_by_association(evidence) && evidence->control.is_associated != CLAIM_YES;
}

static bool may_lack_association_group(const struct evidence *evidence)
{
	return is_by_association(evidence) && evidence->control.association_sg_allows != CLAIM_YES;
}

static bool may_lack_instance_group(const struct evidence *evidence)
{
	return evidence->control.instance_sg_allows != CLAIM_YES;
}

static bool may_lack_acl(const struct evidence *evidence)
{
	return evidence->control.nacl_allows_out != CLAIM_YES || evidence->control.nacl_allows_back != CLAIM_YES;
}

static bool knows_too_little(const struct evidence *evidence)
{
	return may_lack_association(evidence) || may_lack_association_group(evidence) ||
		may_lack_instance_group(evidence) || may_lack_acl(evidence);
}

static bool knows_all(const struct evidence *evidence)
{
	return !knows_too_little(evidence) && is_by_association(evidence);
}

static bool answers_elsewhere(const struct evidence *evidence)
{
	const struct evidence_path *path = path_of(evidence);

	return path && path->exchanges[EXCHANGE_OTHER_PORT].is_asked &&
		path->exchanges[EXCHANGE_OTHER_PORT].phase_us[PHASE_CONNECT] != PHASE_NONE;
}

/* 8500 less the headers of IPv4 and TCP: a device that offers less would be raised by it. */
static bool offers_jumbo(const struct evidence *evidence)
{
	return path_of(evidence) && path_of(evidence)->exchanges[EXCHANGE_MAIN].mss_bytes > 8460;
}

static bool offers_no_jumbo(const struct evidence *evidence)
{
	return !offers_jumbo(evidence);
}

static bool lacks_acl_way_out(const struct evidence *evidence)
{
	return evidence->control.nacl_allows_out != CLAIM_YES;
}

static bool lacks_acl_way_out_v4(const struct evidence *evidence)
{
	return lacks_acl_way_out(evidence) && is_v4(evidence);
}

static bool lacks_acl_way_out_v6(const struct evidence *evidence)
{
	return lacks_acl_way_out(evidence) && is_v6(evidence);
}

static bool lacks_acl_way_back_v4(const struct evidence *evidence)
{
	return evidence->control.nacl_allows_back != CLAIM_YES && is_v4(evidence);
}

static bool lacks_acl_way_back_v6(const struct evidence *evidence)
{
	return evidence->control.nacl_allows_back != CLAIM_YES && is_v6(evidence);
}

static const struct story_advice_row outside_vpc[] = {
	{ "Nothing on this host can mend it: an address from 169.254.171.0/24 or fd00:ec2:80::/64 only works inside a "
	  "VPC that is associated with the service network. From the internet, over peering, Transit Gateway, VPN or "
	  "Direct Connect it never does; a public subnet or a public address plays no part.", NULL, NULL },
	{ "Run the client, or this probe, on an instance in an associated VPC.", NULL, NULL },
	{ "Or reach the service network by a service-network endpoint: VPC console → Endpoints → Create endpoint → "
	  "Service networks. Its addresses belong to the VPC and can be reached over VPN, Direct Connect, peering or "
	  "Transit Gateway. Use the endpoint's own DNS names then.",
	  "aws ec2 create-vpc-endpoint --vpc-endpoint-type ServiceNetwork --vpc-id VPC_ID "
	  "--service-network-arn SERVICE_NETWORK_ARN --subnet-ids SUBNET_ID --security-group-ids SECURITY_GROUP_ID",
	  NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row route_missing[] = {
	{ "See which routes there are. An EC2 instance gets its default route by DHCP from the subnet; the first "
	  "address of the subnet is the VPC's router.", "ip route show", NULL },
	{ "Give the default route back, by renewing the lease or by hand.",
	  "sudo ip route add default via GATEWAY dev DEVICE", is_v4 },
	{ "Give the IPv6 default route back: it comes by router advertisements, which a firewall or "
	  "net.ipv6.conf.*.accept_ra can keep away.", "ip -6 route show", is_v6 },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row route_zeroconf[] = {
	{ "Remove the link-local route now, so that packets go to the VPC's router.",
	  "sudo ip route del 169.254.0.0/16 dev {DEVICE}", NULL },
	{ "Keep it from coming back: NOZEROCONF=yes in /etc/sysconfig/network where the network scripts add it; "
	  "elsewhere avahi-autoipd or a network profile with IPv4 link-local addressing does.",
	  "grep -rs -e LinkLocalAddressing -e NOZEROCONF /etc/sysconfig /etc/systemd/network", NULL },
	{ "Check: the route must name a gateway.", SHOW_ROUTE, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row route_diverted[] = {
	{ "See which route or rule catches the address.", SHOW_ROUTE, NULL },
	{ "Or a rule before the main table.", "ip rule show; ip route show table all | grep -v ^local", NULL },
	{ "Leave {DESTINATION_CIDR} out of it: split tunnelling of the VPN client, another range for the container "
	  "bridge, or without the blackhole or prohibit route.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row local_firewall[] = {
	{ "Look for the rule in the output chain that drops or rejects it.", SHOW_RULESET, NULL },
	{ "The same for rules of the older iptables.", "sudo iptables -S OUTPUT", is_v4 },
	{ "Let TCP port {PORT} to {DESTINATION_CIDR} out, before that rule.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row vpc_not_associated[] = {
	{ "See the state of the association {ASSOCIATION_ID}: while it is in progress, wait some minutes; when it "
	  "failed, its failure message says why.", SHOW_ASSOCIATION, has_association },
	{ "Associate this VPC: VPC console → PrivateLink and Lattice → Service networks → the network → VPC "
	  "associations → Create VPC associations → {VPC_ID}, with a security group that lets this VPC in on TCP "
	  "port {PORT}.",
	  "aws vpc-lattice create-service-network-vpc-association --service-network-identifier "
	  "{SERVICE_NETWORK_ID} --vpc-identifier {VPC_ID} --security-group-ids SECURITY_GROUP_ID", has_no_association },
	{ "A network of another account must be shared with this one first: Resource Access Manager console → "
	  "Shared with me → Resource shares.", NULL, has_no_association },
	{ "A VPC can be associated with one service network only. For a further one use a service-network endpoint: "
	  "VPC console → Endpoints → Create endpoint → Service networks.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row az_unsupported[] = {
	{ "Move the client to a subnet in another availability zone; {ZONE_ID} has no VPC Lattice. The User Guide "
	  "lists such zones under Quotas.",
	  "aws ec2 describe-subnets --filters Name=vpc-id,Values={VPC_ID} "
	  "--query 'Subnets[].[SubnetId,AvailabilityZoneId]' --output table", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row instance_sg_blocks[] = {
	{ "Find the prefix list of VPC Lattice in this Region.",
	  "aws ec2 describe-managed-prefix-lists --filters "
	  "Name=prefix-list-name,Values=com.amazonaws.{REGION}.vpc-lattice --query 'PrefixLists[].PrefixListId'",
	  is_by_association_v4 },
	{ "Find the prefix list of VPC Lattice for IPv6 in this Region.",
	  "aws ec2 describe-managed-prefix-lists --filters "
	  "Name=prefix-list-name,Values=com.amazonaws.{REGION}.ipv6.vpc-lattice "
	  "--query 'PrefixLists[].PrefixListId'", is_by_association_v6 },
	{ "Let TCP port {PORT} out to it: EC2 console → Security Groups → {INSTANCE_GROUP_ID} → Edit outbound rules → "
	  "Add rule.",
	  "aws ec2 authorize-security-group-egress --group-id {INSTANCE_GROUP_ID} --ip-permissions "
	  "'IpProtocol=tcp,FromPort={PORT},ToPort={PORT},PrefixListIds=[{PrefixListId=PREFIX_LIST_ID}]'",
	  is_by_association },
	{ "Let TCP port {PORT} out to the endpoint: EC2 console → Security Groups → {INSTANCE_GROUP_ID} → Edit "
	  "outbound rules → Add rule.",
	  "aws ec2 authorize-security-group-egress --group-id {INSTANCE_GROUP_ID} --ip-permissions "
	  "'IpProtocol=tcp,FromPort={PORT},ToPort={PORT},UserIdGroupPairs=[{GroupId=ENDPOINT_GROUP_ID}]'",
	  is_by_endpoint },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row nacl_blocks[] = {
	{ "Look at the rules of {ACL_ID} in their order: VPC console → Network ACLs. The first that matches decides.",
	  SHOW_ACL, NULL },
	{ "Allow TCP port {PORT} out to {DESTINATION_CIDR}, with a number below the rule that denies it.",
	  "aws ec2 create-network-acl-entry --network-acl-id {ACL_ID} --egress --rule-number RULE_NUMBER "
	  "--protocol tcp --port-range From={PORT},To={PORT} --cidr-block {DESTINATION_CIDR} --rule-action allow",
	  lacks_acl_way_out_v4 },
	{ "Allow TCP port {PORT} out to {DESTINATION_CIDR}, with a number below the rule that denies it.",
	  "aws ec2 create-network-acl-entry --network-acl-id {ACL_ID} --egress --rule-number RULE_NUMBER "
	  "--protocol tcp --port-range From={PORT},To={PORT} --ipv6-cidr-block {DESTINATION_CIDR} "
	  "--rule-action allow", lacks_acl_way_out_v6 },
	{ "Allow the answers back in: TCP ports 1025 to 65535 from {DESTINATION_CIDR}.",
	  "aws ec2 create-network-acl-entry --network-acl-id {ACL_ID} --ingress --rule-number RULE_NUMBER "
	  "--protocol tcp --port-range From=1025,To=65535 --cidr-block {DESTINATION_CIDR} --rule-action allow",
	  lacks_acl_way_back_v4 },
	{ "Allow the answers back in: TCP ports 1025 to 65535 from {DESTINATION_CIDR}.",
	  "aws ec2 create-network-acl-entry --network-acl-id {ACL_ID} --ingress --rule-number RULE_NUMBER "
	  "--protocol tcp --port-range From=1025,To=65535 --ipv6-cidr-block {DESTINATION_CIDR} "
	  "--rule-action allow", lacks_acl_way_back_v6 },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row association_sg_blocks[] = {
	{ "Let this instance in on TCP port {PORT}: VPC console → PrivateLink and Lattice → Service networks → the "
	  "network → VPC associations → {ASSOCIATION_ID} → its security group → Edit inbound rules. Better than one "
	  "address is the VPC's range or the clients' security group.",
	  "aws ec2 authorize-security-group-ingress --group-id {ASSOCIATION_GROUP_ID} --protocol tcp --port {PORT} "
	  "--cidr {SOURCE_CIDR}", is_v4 },
	{ "Let this instance in on TCP port {PORT}: VPC console → PrivateLink and Lattice → Service networks → the "
	  "network → VPC associations → {ASSOCIATION_ID} → its security group → Edit inbound rules. Better than one "
	  "address is the VPC's range or the clients' security group.",
	  "aws ec2 authorize-security-group-ingress --group-id {ASSOCIATION_GROUP_ID} --ip-permissions "
	  "'IpProtocol=tcp,FromPort={PORT},ToPort={PORT},Ipv6Ranges=[{CidrIpv6={SOURCE_CIDR}}]'", is_v6 },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row path_silent[] = {
	{ "See whether this VPC has an ACTIVE association.", LIST_ASSOCIATIONS, may_lack_association },
	{ "See whether its security groups let this instance in on TCP port {PORT}.", SHOW_ASSOCIATION,
	  may_lack_association_group },
	{ "See whether the endpoint's security group lets this instance in on TCP port {PORT}.",
	  "aws ec2 describe-vpc-endpoints --filters Name=vpc-id,Values={VPC_ID} "
	  "Name=vpc-endpoint-type,Values=ServiceNetwork --query 'VpcEndpoints[].[VpcEndpointId,State,Groups]'",
	  is_by_endpoint },
	{ "See whether the instance's security groups let it out.", SHOW_INSTANCE_GROUP, may_lack_instance_group },
	{ "See whether the subnet's network ACL lets it out, and answers back in.", SHOW_ACL, may_lack_acl },
	{ "What AWS shows of this VPC lets the connection through. See whether the SYN leaves this host, and whether "
	  "anything comes back.", "sudo tcpdump -ni {DEVICE} host {ADDRESS} and tcp port {PORT}", knows_all },
	{ "See whether a firewall of this host drops it.", SHOW_RULESET, NULL },
	{ "With credentials that may read these, diagnose looks them up itself.", NULL, knows_too_little },
	{ "If it leaves and nothing comes back, ask AWS Support, with this whole text (--verbose) in the case.", NULL,
	  knows_all },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row connect_refused[] = {
	{ "Another port answers: correct the port in the URL.", NULL, answers_elsewhere },
	{ "The owner of the service sees its listeners under VPC console → PrivateLink and Lattice → Services → the "
	  "service → Routing. Port {PORT} needs one, or the URL another port.",
	  "aws vpc-lattice list-listeners --service-identifier {SERVICE_ID}", may_be_lattice },
	{ "{ADDRESS} is not VPC Lattice's: on the host that has it something must listen on TCP port {PORT}, on that "
	  "address and not on another one alone. If the name should lead to VPC Lattice, mend its record.",
	  "ss -ltn", is_elsewhere },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row pmtu_blackhole[] = {
	{ "VPC Lattice takes packets of at most 8500 bytes. Let the messages about too large packets reach this host: "
	  "ICMP destination unreachable, fragmentation needed (type 3 code 4), and ICMPv6 packet too big (type 2), in "
	  "security groups, network ACLs and firewalls.", "tracepath -n {ADDRESS}", NULL },
	{ "Or lower the device's MTU to 8500 (1500 where the path is smaller, as over a VPN or the internet).",
	  "sudo ip link set dev {DEVICE} mtu 8500", offers_jumbo },
	{ "Or lower the device's MTU to what the path takes.", "sudo ip link set dev {DEVICE} mtu MTU",
	  offers_no_jumbo },
	{ "Or let TCP find out by itself.", "sudo sysctl -w net.ipv4.tcp_mtu_probing=1", NULL },
	{ NULL, NULL, NULL }
};

const struct story_advice story_advice_path[DIAGNOSIS_COUNT] = {
	[DIAGNOSIS_OUTSIDE_VPC] = { outside_vpc, { "this machine is no EC2 instance.",
		"cat /sys/class/dmi/id/sys_vendor", NULL } },
	[DIAGNOSIS_ROUTE_MISSING] = { route_missing, { "the kernel says it is unreachable.", SHOW_ROUTE, NULL } },
	[DIAGNOSIS_ROUTE_ZEROCONF] = { route_zeroconf, { "the neighbour is FAILED.",
		"ip neighbour show to {ADDRESS}", NULL } },
	[DIAGNOSIS_ROUTE_DIVERTED] = { route_diverted, { "the route is not the one by the VPC's router.",
		SHOW_ROUTE, NULL } },
	[DIAGNOSIS_LOCAL_FIREWALL] = { local_firewall, { "a rule of the output chain drops it.", SHOW_RULESET, NULL } },
	[DIAGNOSIS_VPC_NOT_ASSOCIATED] = { vpc_not_associated, { "the list is empty or the status is not ACTIVE. (In a "
		"subnet of another account an empty list proves nothing: only the VPC's owner sees it.)", LIST_ASSOCIATIONS, NULL } },
	[DIAGNOSIS_AZ_UNSUPPORTED] = { az_unsupported, { "{ZONE_ID} is in the User Guide's list of zones without VPC "
		"Lattice.", NULL, NULL } },
	[DIAGNOSIS_INSTANCE_SG_BLOCKS] = { instance_sg_blocks, { "no outbound rule covers TCP port {PORT} to "
		"{DESTINATION_CIDR} or Lattice's prefix list.", SHOW_INSTANCE_GROUP, NULL } },
	[DIAGNOSIS_NACL_BLOCKS] = { nacl_blocks, { "the first rule that matches TCP port {PORT} out, or ports 1025 to "
		"65535 back, denies.", SHOW_ACL, NULL } },
	[DIAGNOSIS_ASSOCIATION_SG_BLOCKS] = { association_sg_blocks, { "the association's security groups have no inbound rule for "
		"{SOURCE_CIDR} on TCP port {PORT}.", SHOW_ASSOCIATION, NULL } },
	[DIAGNOSIS_PATH_SILENT] = { path_silent, { "none of the others fits.", NULL, NULL } },
	[DIAGNOSIS_CONNECT_REFUSED] = { connect_refused, { "the service has no listener on port {PORT}.",
		"aws vpc-lattice list-listeners --service-identifier {SERVICE_ID}", NULL } },
	[DIAGNOSIS_PMTU_BLACKHOLE] = { pmtu_blackhole, { "large packets get no answer and no message.",
		"tracepath -n {ADDRESS}", NULL } },
};

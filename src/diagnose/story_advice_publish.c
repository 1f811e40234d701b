/* SPDX-License-Identifier: Apache-2.0 */
/* Advice on the agent's own way to CloudWatch, and on the two verdicts that are none. Sources: EC2 User Guide
 * (instance metadata, IAM roles), CloudWatch User Guide (interface VPC endpoints, publishing metrics). */
#include "lattice-probe/story.h"

#include "story_advice_internal.h"

#define SHOW_TIME "date -u; chronyc tracking"

static bool is_by_imds(const struct evidence *evidence)
{
	return evidence->where.facts.instance_id[0] != '\0' || evidence->where.platform == HOST_PLATFORM_EC2;
}

static bool has_no_public_address(const struct evidence *evidence)
{
	return evidence->where.imds == EVIDENCE_IMDS_OK && !evidence->where.public_ipv4[0];
}

static bool has_a_path(const struct evidence *evidence)
{
	return evidence->path_count > 0;
}

static bool is_outside_control(const struct evidence *evidence)
{
	return !evidence->control.is_asked || evidence->control.first_refusal[0];
}

static const struct story_advice_row undetermined[] = {
	{ "Run it again with --verbose on the host that cannot reach the service, as the same user and in the same "
	  "container or network namespace as the client.", "lattice-probe diagnose --verbose {URL}", NULL },
	{ "Give it credentials that may read the associations, security groups and network ACLs; what it could not "
	  "ask is marked with ? above.", "aws sts get-caller-identity", is_outside_control },
	{ "Try the same request by hand.", "curl -v {URL}", has_a_path },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row healthy[] = {
	{ "Nothing: the service answers from here.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row clock_skew[] = {
	{ "See how far the clock is off, and which servers it follows.", SHOW_TIME, NULL },
	{ "Let it follow the Amazon Time Sync Service: in chrony.conf write server 169.254.169.123 prefer iburst, "
	  "restart chronyd and set the clock at once.", "sudo chronyc makestep", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row imds_off[] = {
	{ "Switch the metadata service on: EC2 console → Instances → {INSTANCE_ID} → Actions → Instance settings → "
	  "Modify instance metadata options → Enable.",
	  "aws ec2 modify-instance-metadata-options --instance-id {INSTANCE_ID} --http-endpoint enabled", NULL },
	{ "See that AWS_EC2_METADATA_DISABLED is not set in the daemon's environment.",
	  "systemctl show lattice-probe --property Environment", NULL },
	{ "Or give the daemon credentials another way: a profile in the shared files, or web identity.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row imds_hop_limit[] = {
	{ "Let the token travel one hop further, into the container.",
	  "aws ec2 modify-instance-metadata-options --instance-id {INSTANCE_ID} --http-put-response-hop-limit 2", NULL },
	{ "Or run the container in the host's network, or give it credentials of its own (EKS Pod Identity, IAM roles "
	  "for service accounts, ECS task role).", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row no_credentials[] = {
	{ "Give the instance a role: EC2 console → Instances → {INSTANCE_ID} → Actions → Security → Modify IAM role.",
	  "aws ec2 associate-iam-instance-profile --instance-id {INSTANCE_ID} "
	  "--iam-instance-profile Name=INSTANCE_PROFILE", is_by_imds },
	{ "Or give the daemon credentials by its environment, by the shared files of the user it runs as, or by web "
	  "identity.", "systemctl show lattice-probe --property Environment --property User", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row metrics_unreachable[] = {
	{ "A subnet with an internet gateway does not help an instance without a public address: give it one, or use "
	  "one of the ways below.", NULL, has_no_public_address },
	{ "Give the VPC an interface endpoint for CloudWatch, with a security group that lets its clients in on TCP "
	  "port 443: VPC console → Endpoints → Create endpoint → com.amazonaws.{REGION}.monitoring.",
	  "aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --vpc-id {VPC_ID} "
	  "--service-name com.amazonaws.{REGION}.monitoring --subnet-ids {SUBNET_ID} "
	  "--security-group-ids SECURITY_GROUP_ID --private-dns-enabled", NULL },
	{ "Or give the subnet a way to the internet: a route to a NAT gateway. VPC Lattice itself needs none.",
	  "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={SUBNET_ID}", NULL },
	{ "The instance's security groups and network ACL must let TCP port 443 out. Check by hand; any HTTP answer "
	  "will do.", "curl -sS -o /dev/null -w '%{http_code}\\n' https://monitoring.{REGION}.amazonaws.com", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row metrics_denied[] = {
	{ "Let the role publish: IAM console → Roles → the role → Add permissions → Create inline policy. The "
	  "command replaces an inline policy of the same name.",
	  "aws iam put-role-policy --role-name ROLE_NAME --policy-name lattice-probe-metrics --policy-document "
	  "'{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": "
	  "\"cloudwatch:PutMetricData\", \"Resource\": \"*\"}]}'", NULL },
	{ "If the role may already: look for a Deny in a service control policy or permissions boundary, a condition on "
	  "cloudwatch:namespace, and the policy of an interface endpoint for CloudWatch.",
	  "aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws.{REGION}.monitoring "
	  "--query 'VpcEndpoints[].PolicyDocument'", NULL },
	{ NULL, NULL, NULL }
};

const struct story_advice story_advice_publish[DIAGNOSIS_COUNT] = {
	[DIAGNOSIS_UNDETERMINED] = { undetermined, { "none of the others fits.", NULL, NULL } },
	[DIAGNOSIS_HEALTHY] = { healthy, { "it answers.", NULL, NULL } },
	[DIAGNOSIS_CLOCK_SKEW] = { clock_skew, { "the clock is off by minutes.", SHOW_TIME, NULL } },
	[DIAGNOSIS_IMDS_OFF] = { imds_off, { "the metadata service is disabled.",
		"aws ec2 describe-instances --instance-ids {INSTANCE_ID} "
		"--query 'Reservations[].Instances[].MetadataOptions'", NULL } },
	[DIAGNOSIS_IMDS_HOP_LIMIT] = { imds_hop_limit, { "the hop limit is 1 and this is a container.",
		"aws ec2 describe-instances --instance-ids {INSTANCE_ID} "
		"--query 'Reservations[].Instances[].MetadataOptions'", NULL } },
	[DIAGNOSIS_NO_CREDENTIALS] = { no_credentials, { "nobody gives credentials here.",
		"aws sts get-caller-identity", NULL } },
	[DIAGNOSIS_METRICS_UNREACHABLE] = { metrics_unreachable, { "cloudWatch does not answer.",
		"curl -sS -o /dev/null https://monitoring.{REGION}.amazonaws.com", NULL } },
	[DIAGNOSIS_METRICS_DENIED] = { metrics_denied, { "cloudWatch refuses the role.",
		"aws sts get-caller-identity", NULL } },
};

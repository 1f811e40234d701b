# SPDX-License-Identifier: Apache-2.0
# Terraform 1.9 is the first whose validation of one variable may look at another.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}

# Credentials come from the environment, a profile or a role, as for the AWS CLI; none belongs in here.
provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.name
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
